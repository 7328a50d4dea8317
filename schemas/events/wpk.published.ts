import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, UtcTime, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'

/** A version became visible to everyone; from here on its usage can be billed. */
export const wpkPublished = defineEvent({
  type: 'wpk.published',
  version: 1,
  topic: topics.wpk,
  description: 'A package version is public.',
  data: closed({
    id: Uuid,
    org: OrgId,
    name: Type.String(),
    version: Type.String(),
    digest: Digest,
    published_at: UtcTime,
    approver: Type.String(),
  }),
  key: (data) => data.name,
  example: {
    id: '0192f6a0-0000-7000-8000-000000000001',
    org: 'demo',
    name: 'restart-workers',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    published_at: '2026-11-02T09:30:00.000Z',
    approver: 'reviewer@atom',
  },
})
