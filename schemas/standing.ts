import { Type } from '@sinclair/typebox'
import { closed, OrgId, UtcTime } from './envelope.ts'

/** What the events say by which an organisation is suspended and reactivated. `reason` is written for itself. */
export const Standing = closed({
  org: OrgId,
  reason: Type.String({ minLength: 1 }),
  by: Type.String({ minLength: 1 }),
  at: UtcTime,
})
