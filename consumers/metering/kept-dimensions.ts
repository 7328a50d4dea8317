import { rows, type Tx } from '../../platform/db.ts'
import { type KeptDimensions, keptBy } from './rating/kept.ts'
import type { Plan } from './rating/plan.ts'

/** Members that make a price need more than sums by meter. */
const NEEDS_MORE = `$.charges[*] ? (exists(@.group_by) || exists(@.filter) || @.aggregation == "unique"
  || exists(@.free_events) || exists(@.free_amount))`

/**
 * What has to be kept of a tenant's usage beside sums by meter, because one of its plans names it. Free text that no
 * price needs stays in the log, which expires (P-1).
 */
export async function keptOf(tx: Tx, tenant: string, more: readonly Plan[] = []): Promise<KeptDimensions> {
  const plans = await rows<{ body: Plan }>(
    tx,
    `select p.body from metering.subscriptions s
     join metering.plans p on p.partner = s.partner and (p.id = s.plan_id or p.first_version = s.plan_id)
     where s.tenant = ? and jsonb_path_exists(p.body, ?::jsonpath)`,
    [tenant, NEEDS_MORE],
  )
  return keptBy([...plans.map(({ body }) => body), ...more])
}
