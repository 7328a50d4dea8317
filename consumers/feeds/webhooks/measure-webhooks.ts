import type { Metrics } from '../../../platform/metrics.ts'
import type { FeedDeps } from '../deps.ts'

/** Measures what waits and what was given up, and by how much healthy webhooks are told late. */
export function measureWebhooks({ allOrgs, now }: Pick<FeedDeps, 'allOrgs' | 'now'>, metrics: Metrics) {
  const deliveries = metrics.gauge('atom_webhook_deliveries', 'Deliveries of webhooks by state', ['state'])
  const webhooks = metrics.gauge('atom_webhooks', 'Webhooks by state', ['state'])
  const overdue = metrics.gauge(
    'atom_webhook_overdue_seconds',
    'How long the most overdue call of a webhook that is not failing has been due',
    [],
  )
  return async (): Promise<void> => {
    const byState = await allOrgs.query<{ state: string; n: number }>(
      // Each along its own index: what was delivered is most of the table.
      `select 'pending' as state, count(*)::int as n from feeds.deliveries where state = 'pending'
       union all select 'dead', count(*)::int from feeds.deliveries where state = 'dead'`,
    )
    const states = await allOrgs.query<{ state: string; n: number }>(
      `select case when state = 'on' and failing_since is not null then 'failing' else state end as state,
         count(*)::int as n from feeds.webhooks group by 1`,
    )
    const [late] = await allOrgs.query<{ due: Date | null }>(
      `select min(d.next_attempt_at) as due from feeds.deliveries d
       join feeds.webhooks w on w.org = d.org and w.id = d.webhook_id
       where d.state = 'pending' and w.state = 'on' and not w.paused and w.failing_since is null`,
    )
    deliveries.reset()
    for (const { state, n } of byState) deliveries.set({ state }, n)
    webhooks.reset()
    for (const { state, n } of states) webhooks.set({ state }, n)
    const seconds = late?.due ? (now().getTime() - late.due.getTime()) / 1000 : 0
    overdue.set({}, Math.max(0, seconds))
  }
}
