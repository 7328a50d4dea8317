import { keyLock, publish } from '../../platform/bus/outbox.ts'
import type { Clock } from '../../platform/clock.ts'
import { type Db, execute, type Tx } from '../../platform/db.ts'
import { newTrace } from '../../platform/trace.ts'
import { dropUnknown } from '../../schemas/drop-unknown.ts'
import type { Static } from '../../schemas/envelope.ts'
import { planCreated } from '../../schemas/events/plan.created.ts'
import { PlanTerms } from '../../schemas/plan-terms.ts'
import { SOURCE } from './deps.ts'
import type { Plan } from './rating/plan.ts'

/** A price plan as stored; `first_version` is null for a first one. */
export type PlanRow = {
  partner: string
  id: string
  name: string
  currency: string
  effective_from: Date
  body: Plan
  first_version: string | null
  created_at: Date
}
export const PLAN_COLUMNS = 'partner, id, name, currency, effective_from, body, first_version, created_at'

/** To be taken first in a transaction that tells of a partner's plan. */
export const planLock = (partner: string): string => keyLock(planCreated.topic, partner)

/** Publishes that a plan, or a version of one, was made. */
export async function tellPlan(tx: Tx, plan: PlanRow, { now, traceparent }: { now: Date; traceparent?: string }) {
  const { id, partner, name, currency, effective_from, created_at, body } = plan
  const terms = dropUnknown(PlanTerms, body) as Static<typeof PlanTerms>
  const times = { effective_from: effective_from.toISOString(), created_at: created_at.toISOString() }
  const data = { id, first_version: plan.first_version ?? id, partner, name, currency, ...times, terms }
  const about = { id, source: SOURCE, now, subject: partner, ...(traceparent ? { traceparent } : {}) }
  await publish(tx, planCreated, [planCreated.create(data, about)])
}

/** Tells once of each plan that was stored before plans were told of, oldest first. Returns how many it told of. */
export async function tellUntoldPlans(deps: { allTenants: Db; now: Clock; wake: () => void }): Promise<number> {
  const untold = await deps.allTenants.query<PlanRow>(
    `select ${PLAN_COLUMNS} from metering.plans where told_at is null order by created_at, id`,
  )
  for (const plan of untold)
    await deps.allTenants.transaction(
      async (tx) => {
        // Of two processes that start at once the second changes nothing here.
        const now = deps.now()
        const mine = await execute(
          tx,
          'update metering.plans set told_at = ? where partner = ? and id = ? and told_at is null',
          [now, plan.partner, plan.id],
        )
        if (mine > 0) await tellPlan(tx, plan, { now, traceparent: newTrace() })
      },
      { locks: [planLock(plan.partner)] },
    )
  if (untold.length > 0) deps.wake()
  return untold.length
}

/** Stores a new plan and tells of it. The transaction holds `planLock`. */
export async function keepPlan(tx: Tx, plan: PlanRow, traceparent: string): Promise<void> {
  await execute(tx, `insert into metering.plans (${PLAN_COLUMNS}, told_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
    ...[plan.partner, plan.id, plan.name, plan.currency, plan.effective_from],
    ...[JSON.stringify(plan.body), plan.first_version, plan.created_at, plan.created_at],
  ])
  await tellPlan(tx, plan, { now: plan.created_at, traceparent })
}
