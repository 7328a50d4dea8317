import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, Uuid } from '../envelope.ts'
import { Origin } from '../origin.ts'
import { topics } from '../topics.ts'

/** A partner uploaded a version whose signature verified; its bytes are stored under `digest`. */
export const wpkSubmitted = defineEvent({
  type: 'wpk.submitted',
  version: 1,
  topic: topics.wpk,
  description: 'A signed package version was accepted and stored; nobody has judged it yet.',
  data: closed({
    id: Uuid,
    org: OrgId,
    name: Type.String({ minLength: 1, maxLength: 128 }),
    version: Type.String({ minLength: 1, maxLength: 128 }),
    digest: Digest,
    media_type: Type.String(),
    key_id: Type.String(),
    /** What the marketplace found of signature, signer and name; without it, that they were good when it stored the bytes. */
    origin: Type.Optional(Origin),
  }),
  key: (data) => data.name,
  example: {
    id: '0192f6a0-0000-7000-8000-000000000001',
    org: 'demo',
    name: 'restart-workers',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    media_type: 'application/yaml',
    key_id: 'q0n2mJ8x1sW6Z1x7c1R4vXo3m8xq5yTt3nP0v3mQd2E=',
  },
})
