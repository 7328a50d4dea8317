import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, row } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { invoiceUpdated } from '../../schemas/events/invoice.updated.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { rateInOrder } from './invoice.ts'
import { perTenant } from './per-tenant.ts'
import { snapshotOf } from './snapshot.ts'

/**
 * Rates every open invoice that got usage and announces its new state. Many reports make one rating: the work grows
 * with tenants that changed, not with events. Returns how many were rated.
 */
export async function refreshStale(deps: MeteringDeps): Promise<number> {
  const stale = await deps.allTenants.query<{ tenant: string; period: string }>(
    'select tenant, period from metering.invoices where stale order by tenant, period limit 500',
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
