import type { Topic } from '../../schemas/topics.ts'
import type { Db } from '../db.ts'
import type { Metrics } from '../metrics.ts'
import type { Finding } from '../policies.ts'

const RECENT = 50

/** P-4: each service's own `/metrics` is fetched, and the newest events that came from requests carry a trace. */
export function probeObservability(db: Db, topics: readonly Topic[], baseUrls: () => readonly string[]) {
  return async (): Promise<Finding> => {
    const urls = baseUrls()
    if (urls.length === 0) return { status: 'not_applicable', detail: 'no service listens yet' }
    for (const url of urls) {
      const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(1_500) })
      if (!answer.ok || !(await answer.text()).includes('# TYPE atom_'))
        return violated(`${url}/metrics names no metric`)
    }
    for (const { name } of topics) {
      const [bare] = await db.query<{ n: number }>(
        `select count(*) filter (where not jsonb_exists(headers, 'traceparent'))::int as n
         from (select headers from platform.event_log where topic = ? order by xid desc, pos desc limit ?) e`,
        [name, RECENT],
      )
      if ((bare?.n ?? 0) > 0) return violated(`${bare?.n} of the last ${RECENT} events of ${name} carry no trace`)
    }
    return { status: 'compliant', detail: `${urls.length} services give metrics; recent events carry traces` }
  }
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
