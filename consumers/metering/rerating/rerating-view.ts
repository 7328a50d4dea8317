import { rows, type Tx } from '../../../platform/db.ts'
import type { Rerating } from './rerating.ts'

type Sums = {
  currency: string
  tenants: number
  differing: number
  failed: number
  lines: number
  hours: number
  difference: string
  drift: string
}

/** A rerating as lists show it: what was asked for and how far it is. */
export function reratingView(rerating: Rerating) {
  const { id, state, nightly, tenant, period, as_of, other_plan, covers, code, note } = rerating
  const { events, records, left_out, expected_events, requested_by, requested_at, started_at, ended_at } = rerating
  return {
    replay_id: id,
    status_url: `/billing/replay/${id}`,
    state,
    period,
    tenant,
    ...(as_of ? { as_of } : {}),
    ...(other_plan ? { plan_version: other_plan.id } : {}),
    ...(nightly ? { nightly } : {}),
    progress: {
      events,
      of: state === 'queued' ? null : Math.max(events, expected_events),
      records,
      left_out,
      compared_to: rerating.compared_to,
    },
    complete: covers?.complete ?? null,
    covers: covers ? { from: covers.from, to: covers.to } : null,
    ...(rerating.not_counted ? { not_yet_counted: rerating.not_counted } : {}),
    ...(code ? { error: { code, detail: note } } : {}),
    requested_by,
    requested_at,
    started_at,
    ended_at,
  }
}

/** What the comparisons so far come to, by currency: sums over all tenants. */
export async function resultOf(tx: Tx, { id }: Rerating) {
  const sums = await rows<Sums>(
    tx,
    `select currency, count(*)::int as tenants, (count(*) filter (where differing_lines > 0 or drift > 0))::int as differing,
       (count(*) filter (where failed))::int as failed,
       sum(differing_lines)::int as lines, sum(differing_hours)::int as hours, sum(difference)::text as difference,
       sum(drift)::text as drift
     from metering.rerating_results where rerating = ? group by currency order by currency`,
    [id],
  )
  const sum = (of: (one: Sums) => number) => sums.reduce((total, one) => total + of(one), 0)
  return {
    tenants: sum(({ tenants }) => tenants),
    failed_tenants: sum(({ failed }) => failed),
    differing_tenants: sum(({ differing }) => differing),
    differing_lines: sum(({ lines }) => lines),
    differing_hours: sum(({ hours }) => hours),
    differences: sums.map(({ currency, difference, drift }) => ({ currency, difference, drift })),
  }
}

/** Results of one page of tenants by name, those that differ only if asked. */
export const resultsPage = (tx: Tx, id: string, after: string, limit: number, differing: boolean) =>
  rows<{ tenant: string; body: object }>(
    tx,
    `select tenant, body from metering.rerating_results where rerating = ? and tenant > ?
       ${differing ? 'and (failed or differing_lines > 0 or drift > 0 or differing_hours > 0)' : ''} order by tenant limit ?`,
    [id, after, limit],
  )
