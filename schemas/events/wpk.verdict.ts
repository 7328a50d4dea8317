import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'
import { Verdict } from '../verdict.ts'

/** The analyzer judged a version. It never publishes or rejects: the marketplace's policy does. */
export const wpkVerdict = defineEvent({
  type: 'wpk.verdict',
  version: 1,
  topic: topics.wpk,
  description: 'The governance analyzer judged a package version.',
  data: closed({
    id: Uuid,
    org: OrgId,
    name: Type.String(),
    version: Type.String(),
    digest: Digest,
    verdict: Verdict,
  }),
  key: (data) => data.name,
  example: {
    id: '0192f6a0-0000-7000-8000-000000000001',
    org: 'demo',
    name: 'restart-workers',
    version: '1.0.0',
    digest: `sha256:${'a'.repeat(64)}`,
    verdict: {
      risk_score: 0.12,
      decision: 'pass',
      violations: [],
      capabilities: ['mutates_cluster'],
      digest: `sha256:${'a'.repeat(64)}`,
      ruleset: '1.0.0',
      model: null,
      checks: [],
    },
  },
})
