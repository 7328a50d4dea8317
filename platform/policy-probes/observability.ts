import type { Topic } from '../../schemas/topics.ts'
import type { Bus, BusRecord } from '../bus/bus.ts'
import type { Clock } from '../clock.ts'
import { type Counted, type Metrics, quantileOf } from '../metrics.ts'
import type { Finding } from '../policies.ts'

/** Newest events looked at in each partition. */
const RECENT = 5
const LAST = { kind: 'last', records: RECENT } as const
const LATEST = { kind: 'latest' } as const

type Deps = { bus: Pick<Bus, 'bounds' | 'read'>; topics: readonly Topic[]; baseUrls: () => readonly string[] }

/** P-4: each service's own `/metrics` is fetched, and the newest events that came from requests carry a trace. */
export function probeObservability({ bus, topics, baseUrls }: Deps) {
  return async (): Promise<Finding> => {
    const urls = baseUrls()
    if (urls.length === 0) return { status: 'not_applicable', detail: 'no service listens yet' }
    for (const url of urls) {
      const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(1_500) })
      if (!answer.ok || !(await answer.text()).includes('# TYPE atom_'))
        return violated(`${url}/metrics names no metric`)
    }
    for (const topic of topics) {
      const newest = await newestOf(bus, topic)
      const bare = newest.filter(({ headers }) => headers.traceparent === undefined)
      if (bare.length > 0)
        return violated(`${bare.length} of the newest ${newest.length} events of ${topic.name} carry no trace`)
    }
    return { status: 'compliant', detail: `${urls.length} services give metrics; recent events carry traces` }
  }
}

async function newestOf(bus: Deps['bus'], topic: Topic): Promise<BusRecord[]> {
  const starts = await bus.bounds(topic, LAST)
  const ends = await bus.bounds(topic, LATEST)
  const read = starts.map(({ partition, at: from }) => {
    const until = ends.find((one) => one.partition === partition)?.at ?? from
    return from === until ? [] : bus.read({ topic, partition, from, until, maxRecords: RECENT })
  })
  return (await Promise.all(read)).flat()
}

const violated = (detail: string): Finding => ({ status: 'violated', detail })

/** What is looked at lies between one and two of these back: a bad minute is over one day, and not forgotten at once. */
const WINDOW_MS = 5 * 60_000

const NO_REQUEST: Finding = { status: 'not_applicable', detail: 'no request answered yet' }
type Latency = { metrics: Metrics; histogram: string; limitSeconds: number; ready: () => boolean; now: Clock }

/**
 * P-6: the 95th percentile of the requests this process answered in the last minutes is below the limit. What it answers
 * while it starts it answers to itself.
 */
export function probeLatency({ metrics, histogram, limitSeconds, ready, now }: Latency) {
  let before: { at: number; counted: Counted } = { at: now().getTime(), counted: new Map() }
  let last = before
  return async (): Promise<Finding> => {
    // Health and metrics are asked by machines, health while parts are still starting: no user waits for them.
    const counted = await metrics.counted(histogram, ({ route }) => route !== '/health' && route !== '/metrics')
    const at = now().getTime()
    if (!ready()) {
      before = last = { at, counted }
      return NO_REQUEST
    }
    if (at - last.at >= WINDOW_MS) {
      before = last
      last = { at, counted }
    }
    const recent = new Map([...counted].map(([bound, n]) => [bound, n - (before.counted.get(bound) ?? 0)]))
    const p95 = quantileOf(recent, 0.95)
    if (p95 === null) return NO_REQUEST
    const detail = `p95 of the last ${recent.get(Number.POSITIVE_INFINITY)} requests is at most ${p95} s`
    return { status: p95 <= limitSeconds ? 'compliant' : 'violated', detail }
  }
}
