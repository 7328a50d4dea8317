import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, Digest, OrgId, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'
import { Verdict } from '../verdict.ts'
import { wpkVerdict } from './wpk.verdict.ts'

/** The analyzer judged a stored version anew. The verdict stands beside the first; only a person changes a state. */
export const wpkRescanned = defineEvent({
  type: 'wpk.rescanned',
  version: 1,
  topic: topics.wpk,
  description: 'A stored package version was judged anew; its state stays what it is.',
  data: closed({
    rescan: Uuid,
    id: Uuid,
    org: OrgId,
    name: Type.String(),
    version: Type.String(),
    digest: Digest,
    verdict: Verdict,
  }),
  key: (data) => data.name,
  example: { rescan: '0192f6a0-0000-7000-8000-000000000009', ...wpkVerdict.example },
})
