import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { type Periodic, runPeriodically } from '../periodic.ts'
import type { Consuming, Lag } from './bus.ts'
import { PATIENCE, type Patience, type Watch, watchdog } from './watchdog.ts'

export type WatchTimes = { everyMs: number; patience: Patience }
type Deps = { metrics: Metrics; log: Log; now: Clock; stopped?: () => boolean; times?: WatchTimes }

const TIMES: WatchTimes = { everyMs: 5_000, patience: PATIENCE }

/** Members replaced, because they crashed or because the watchdog found them stuck. */
export const restartCounter = (metrics: Metrics): Counter =>
  metrics.counter('atom_consumer_restarts_total', 'Members of a group replaced', ['group', 'reason'])

/**
 * Measures every few seconds how far a group is behind in each partition, from our own cursors, and replaces the
 * group's member here when it hangs.
 */
export function watchConsumer(
  group: string,
  consuming: Pick<Consuming, 'lag' | 'vitals' | 'restart'>,
  { metrics, log, now, stopped = () => false, times = TIMES }: Deps,
): Periodic {
  const labels = ['group', 'topic', 'partition']
  const records = metrics.gauge('atom_consumer_lag_records', 'Events a group has not applied', labels)
  const seconds = metrics.gauge('atom_consumer_lag_seconds', 'Age of the oldest event a group has not applied', labels)
  const restarts = restartCounter(metrics)
  restarts.inc({ group, reason: 'stuck' }, 0)
  let watch: Watch | null = null
  let asked: Promise<Lag[]> | null = null

  /** What hangs a member may hang this question too; the same one is waited for again then, and none added to it. */
  async function lagInTime(): Promise<Lag[]> {
    asked ??= consuming.lag().finally(() => {
      asked = null
    })
    const late = pause(times.everyMs, null, { ref: false })
    const lag = await Promise.race([asked, late])
    if (lag === null) throw new Error(`not told within ${times.everyMs} ms`)
    return lag
  }

  function show(lags: readonly Lag[]): void {
    for (const one of lags) {
      const where = { group, topic: one.topic, partition: one.partition }
      records.set(where, one.records)
      seconds.set(where, one.records > 0 ? one.seconds : 0)
    }
  }

  function judge(lags: readonly Lag[] | null): void {
    const behind = lags && new Map(lags.map((one) => [nameOf(one), one.records]))
    const places = new Map(lags?.flatMap((one) => (one.place === undefined ? [] : [[nameOf(one), one.place]])))
    const since = watch?.since ?? now().getTime()
    const sample = { at: now().getTime(), ...consuming.vitals(), stopped: stopped(), behind, places }
    const found = watchdog(watch, sample, times.patience)
    watch = found.watch
    if (!found.restart) return
    restarts.inc({ group, reason: 'stuck' })
    const waiting = lags?.reduce((sum, one) => sum + one.records, 0)
    log.error('consumer is stuck and is replaced', {
      silent_ms: sample.at - since,
      applying: sample.applying,
      behind: waiting,
    })
    consuming.restart()
  }

  async function look(): Promise<void> {
    try {
      const lags = await lagInTime()
      show(lags)
      judge(lags)
    } catch (error) {
      judge(null)
      throw error
    }
  }
  return runPeriodically(`lag of ${group}`, times.everyMs, look, log)
}

const nameOf = ({ topic, partition }: Lag): string => `${topic}/${partition}`
