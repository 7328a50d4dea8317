import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, row } from '../../../platform/db.ts'
import { newTrace } from '../../../platform/trace.ts'
import type { AnalyzerIdentity } from '../../../schemas/analyzer-identity.ts'
import { analyzerChanged } from '../../../schemas/events/analyzer.changed.ts'
import type { Analyzer } from '../analyzer.ts'
import { RULESET } from '../rules/index.ts'
import { SOURCE } from '../source.ts'

type Deps = { db: Db; analyzer: Pick<Analyzer, 'models'>; now: Clock; wake: () => void }

/**
 * Tells once that packages are judged by another rule set or model than the one announced before. Without a usable model
 * nothing is told: rules alone are an outage, and no reason to judge everything anew. Returns whether it told.
 */
export async function announceAnalyzer({ db, analyzer, now, wake }: Deps): Promise<boolean> {
  const [model] = analyzer.models()
  if (model === undefined) return false
  const identity: AnalyzerIdentity = {
    ruleset: RULESET,
    model_version: model.version,
    model_sha256: model.sha256,
  }
  const options = { source: SOURCE, now: now(), traceparent: newTrace() }
  const event = analyzerChanged.create({ analyzer: identity }, options)
  // The lock of the event's key: of two processes that start at once the second sees what the first has told.
  const locks = [keyLock(analyzerChanged.topic, event.partitionkey)]
  const told = await db.transaction(
    async (tx) => {
      const last = await row<AnalyzerIdentity>(
        tx,
        'select ruleset, model_version, model_sha256 from governance.analyzers order by seq desc limit 1',
      )
      if (last?.ruleset === identity.ruleset && last.model_sha256 === identity.model_sha256) return false
      await execute(
        tx,
        `insert into governance.analyzers (ruleset, model_version, model_sha256, announced_at) values (?, ?, ?, ?)`,
        [identity.ruleset, identity.model_version, identity.model_sha256, now()],
      )
      await publish(tx, analyzerChanged, [event])
      return true
    },
    { locks },
  )
  if (told) wake()
  return told
}
