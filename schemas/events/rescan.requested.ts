import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, Uuid } from '../envelope.ts'
import { Origin } from '../origin.ts'
import { topics } from '../topics.ts'

/** The marketplace asks for a new verdict on a version it has stored. `rescan` is the round it belongs to. */
export const rescanRequested = defineEvent({
  type: 'rescan.requested',
  version: 1,
  topic: topics.wpk,
  description: 'A stored package version is to be judged anew; its state stays what it is.',
  data: closed({
    rescan: Uuid,
    id: Uuid,
    org: OrgId,
    name: Type.String({ minLength: 1, maxLength: 128 }),
    version: Type.String({ minLength: 1, maxLength: 128 }),
    digest: Digest,
    media_type: Type.String(),
    /** What the marketplace found of signature, signer and name; without it, that they were good when it stored the bytes. */
    origin: Type.Optional(Origin),
  }),
  key: (data) => data.name,
  example: {
    rescan: '0192f6a0-0000-7000-8000-000000000009',
    id: '0192f6a0-0000-7000-8000-000000000001',
    org: 'demo',
    name: 'restart-workers',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    media_type: 'application/yaml',
  },
})
