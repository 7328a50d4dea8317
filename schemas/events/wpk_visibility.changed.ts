import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, OrgId } from '../envelope.ts'
import { topics } from '../topics.ts'

/** Its publisher made a package private, or public again: all versions of the name, and those to come. */
export const wpkVisibilityChanged = defineEvent({
  type: 'wpk_visibility.changed',
  version: 1,
  topic: topics.wpk,
  description: 'A package became private, or public again, with all its versions.',
  data: closed({
    org: OrgId,
    name: Type.String({ minLength: 1, maxLength: 128 }),
    visibility: Type.Union([Type.Literal('public'), Type.Literal('private')]),
    by: Type.String({ minLength: 1 }),
  }),
  key: (data) => data.name,
  example: { org: 'demo', name: 'restart-workers', visibility: 'private', by: 'partner@demo' },
})
