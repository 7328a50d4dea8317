import type { Topic } from '../../schemas/topics.ts'
import type { Bus, BusRecord } from '../bus/bus.ts'
import type { Metrics } from '../metrics.ts'
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

/** P-6: the 95th percentile of the requests this process answered is below `limitSeconds`. */
export function probeLatency(metrics: Metrics, histogram: string, limitSeconds: number) {
  return async (): Promise<Finding> => {
    // Health and metrics are asked by machines, health while parts are still starting: no user waits for them.
    const p95 = await metrics.quantile(histogram, 0.95, ({ route }) => route !== '/health' && route !== '/metrics')
    if (p95 === null) return { status: 'not_applicable', detail: 'no request answered yet' }
    const detail = `p95 of all requests is at most ${p95} s`
    return { status: p95 <= limitSeconds ? 'compliant' : 'violated', detail }
  }
}
