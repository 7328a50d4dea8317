import { emit, ok, skip } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db.ts'
import { rescanRequested } from '../../../schemas/events/rescan.requested.ts'
import { wpkRescanned } from '../../../schemas/events/wpk.rescanned.ts'
import type { Analyzer } from '../analyzer.ts'
import { judgeStored } from '../judge-stored.ts'
import { keepVerdict } from '../keep-verdict.ts'
import { SOURCE } from '../source.ts'

type Deps = { db: Db; analyzer: Analyzer; now: Clock }

/** A stored version is judged anew; gone bytes are no dead letter, which would hold up the next upload of the package. */
export const onRescanRequested = ({ db, analyzer, now }: Deps): Handler =>
  handler({
    name: 'governance.on-rescan-requested',
    on: rescanRequested,
    emits: [wpkRescanned],
    writes: ['governance.verdicts'],
    replay: 'apply',
    prepare: ({ data }) => judgeStored({ db, analyzer }, data),
    async handle(event, tx, verdict) {
      if (verdict === null) return skip('its bytes are gone')
      const { rescan, id, org, name, version, digest } = event.data
      const at = now()
      await keepVerdict(tx, { org, id, digest }, verdict, at)
      const said = wpkRescanned.create(
        { rescan, id, org, name, version, digest, verdict },
        { source: SOURCE, now: at, subject: name, causedBy: event },
      )
      return ok(emit(wpkRescanned, said))
    },
  })
