import { Type } from '@sinclair/typebox'
import { closed, Digest, OrgId, Uuid } from './envelope.ts'

/** What the events say by which a version that was public is taken back in part or whole; `by` is who did it. */
export const Withdrawal = closed({
  id: Uuid,
  org: OrgId,
  name: Type.String(),
  version: Type.String(),
  digest: Digest,
  reason: Type.String({ minLength: 1 }),
  by: Type.String({ minLength: 1 }),
})

export const withdrawalExample = {
  id: '0192f6a0-0000-7000-8000-000000000001',
  org: 'demo',
  name: 'restart-workers',
  version: '1.0.0',
  digest: `sha256:${'a'.repeat(64)}`,
  by: 'partner@demo',
}
