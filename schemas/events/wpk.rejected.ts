import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'

/** A version was refused by a person; it will never be published. */
export const wpkRejected = defineEvent({
  type: 'wpk.rejected',
  version: 1,
  topic: topics.wpk,
  description: 'A package version was rejected by a reviewer.',
  data: closed({
    id: Uuid,
    org: OrgId,
    name: Type.String(),
    version: Type.String(),
    digest: Digest,
    reason: Type.String({ minLength: 1 }),
  }),
  key: (data) => data.name,
  example: {
    id: '0192f6a0-0000-7000-8000-000000000001',
    org: 'demo',
    name: 'backup-check',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    reason: 'Runs without approval and mounts the host.',
  },
})
