import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { invoiceUpdated } from '../../schemas/events/invoice.updated.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { rateInOrder } from './invoice.ts'
import { perTenant } from './per-tenant.ts'
import { snapshotOf } from './snapshot.ts'

/**
 * Rates every open invoice that got usage and announces its new state. Many reports make one rating: the work grows
 * with tenants that changed, not with events. Of a tenant with prepaid credits the later open months follow: an earlier
 * one leaves them more or less. Returns how many were to be rated.
 */
export async function refreshStale(deps: MeteringDeps): Promise<number> {
  const stale = await deps.allTenants.query<{ tenant: string; period: string }>(
    `with s as materialized (
       select tenant, period from metering.invoices where stale order by tenant, period limit 500)
     select tenant, period from s
     union select i.tenant, i.period from s join metering.invoices i on i.tenant = s.tenant and i.period > s.period
     where i.status = 'gathering' and exists (select 1 from metering.credits c where c.tenant = i.tenant and c.open)
     order by tenant, period`,
  )
  for (const { tenant, period } of stale) await perTenant(deps, tenant, () => refreshOne(deps, tenant, period))
  if (stale.length > 0) deps.wake()
  return stale.length
}

async function refreshOne({ allTenants, now, partnerSharePercent }: MeteringDeps, tenant: string, period: string) {
  await allTenants.transaction(
    async (tx) => {
      const held = await row(
        tx,
        "select 1 from metering.invoices where tenant = ? and period = ? and stale and status = 'gathering' for update",
        [tenant, period],
      )
      if (!held) return
      const at = now()
      const live = await rateInOrder(tx, tenant, period, partnerSharePercent, at)
      await execute(tx, 'update metering.invoices set stale = false, currency = ? where tenant = ? and period = ?', [
        live.rated.currency,
        tenant,
        period,
      ])
      await markPaidAfter(tx, tenant, period)
      fault('refresh.after-rating')
      const event = invoiceUpdated.create(snapshotOf(tenant, period, 'gathering', live, at), {
        source: SOURCE,
        now: at,
        subject: tenant,
      })
      await publish(tx, invoiceUpdated, [event])
      fault('refresh.before-commit')
    },
    { locks: [keyLock(invoiceUpdated.topic, tenant)] },
  )
  fault('refresh.after-commit')
}

/** What a month takes of prepaid credits is not there for the open ones after it, which are in the order of all locks. */
const markPaidAfter = (tx: Tx, tenant: string, period: string): Promise<number> =>
  execute(
    tx,
    `update metering.invoices i set stale = true
     from (select period from metering.invoices
           where tenant = ? and period > ? and status = 'gathering' and not stale
             and exists (select 1 from metering.credits where tenant = ? and open)
           order by period for update) o
     where i.tenant = ? and i.period = o.period`,
    [tenant, period, tenant, tenant],
  )
