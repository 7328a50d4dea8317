import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'

export const ReviewDecision = Type.Union([
  Type.Literal('approve'),
  Type.Literal('reject'),
  Type.Literal('request_changes'),
])

/** A person decided. `before` and `after` are the hashes P-3 asks for: the record before and after the decision. */
export const wpkReviewed = defineEvent({
  type: 'wpk.reviewed',
  version: 1,
  topic: topics.wpk,
  description: 'A reviewer decided on a package version, with a justification.',
  data: closed({
    id: Uuid,
    org: OrgId,
    name: Type.String(),
    version: Type.String(),
    digest: Digest,
    decision: ReviewDecision,
    approver: Type.String(),
    justification: Type.String({ minLength: 1 }),
    before: Digest,
    after: Digest,
    /** The version of the publishing policy it was decided under. */
    policy_version: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Everybody who approved, where one person was not enough; `approver` is the last. */
    approvals: Type.Optional(Type.Array(Type.String())),
  }),
  key: (data) => data.name,
  example: {
    id: '0192f6a0-0000-7000-8000-000000000001',
    org: 'demo',
    name: 'restart-workers',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    decision: 'approve',
    approver: 'reviewer@atom',
    justification: 'Restarts one deployment, asks before it acts.',
    before: `sha256:${'b'.repeat(64)}`,
    after: `sha256:${'c'.repeat(64)}`,
  },
})
