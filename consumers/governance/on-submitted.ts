import { deadLetter, emit, ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import { wpkSubmitted } from '../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../schemas/events/wpk.verdict.ts'
import type { Analyzer } from './analyzer.ts'
import { judgeStored } from './judge-stored.ts'
import { keepVerdict } from './keep-verdict.ts'
import { SOURCE } from './source.ts'

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
    prepare: ({ data }) => judgeStored({ db, analyzer }, data),
    async handle(event, tx, verdict) {
      const { id, org, name, version, digest } = event.data
      if (verdict === null) return deadLetter('artifact_missing', `no stored bytes for ${digest}`)
      const at = now()
      await keepVerdict(tx, { org, id, digest }, verdict, at)
      const options = { source: SOURCE, now: at, subject: name, causedBy: event }
      return ok(emit(wpkVerdict, wpkVerdict.create({ id, org, name, version, digest, verdict }, options)))
    },
  })
}
