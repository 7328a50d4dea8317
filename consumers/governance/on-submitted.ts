import { readArtifact } from '../../platform/artifacts.ts'
import { deadLetter, emit, ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import { type Db, execute } from '../../platform/db.ts'
import { wpkSubmitted } from '../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../schemas/events/wpk.verdict.ts'
import type { Analyzer } from './analyzer.ts'
import { judgedOrHeld } from './held-verdict.ts'
import { asSubmitted } from './outside-checks.ts'

const SOURCE = '//atom/governance'
type Deps = { db: Db; analyzer: Analyzer; now: Clock }

/** A version was submitted: judge its bytes before the transaction opens, then keep and announce the verdict. */
export function onSubmitted({ db, analyzer, now }: Deps): Handler {
  return handler({
    name: 'governance.on-submitted',
    on: wpkSubmitted,
    emits: [wpkVerdict],
    writes: ['governance.verdicts'],
    // A version is judged once: what was judged before is known to the inbox.
    replay: 'apply',
    async prepare({ data }) {
      const bytes = await db.transaction((tx) => readArtifact(tx, data.org, data.digest))
      if (bytes === null) return null
      const analyze = () => analyzer.analyze(bytes, data.media_type, { urgent: true })
      return asSubmitted(await judgedOrHeld(bytes, analyze, ['wpk_malformed']))
    },
    async handle(event, tx, verdict) {
      const { id, org, name, version, digest } = event.data
      if (!verdict) return deadLetter('artifact_missing', `no stored bytes for ${digest}`)
      const at = now()
      await execute(
        tx,
        `insert into governance.verdicts (org, version_id, digest, ruleset, model_sha256, risk_score, decision, verdict, judged_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (org, version_id, ruleset, model_sha256) do nothing`,
        [
          org,
          id,
          digest,
          verdict.ruleset,
          verdict.model?.sha256 ?? '',
          verdict.risk_score,
          verdict.decision,
          JSON.stringify(verdict),
          at,
        ],
      )
      const options = { source: SOURCE, now: at, subject: name, causedBy: event }
      return ok(emit(wpkVerdict, wpkVerdict.create({ id, org, name, version, digest, verdict }, options)))
    },
  })
}
