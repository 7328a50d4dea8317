import { uuidv7 } from 'uuidv7'
import { type Db, execute, row, rows, type Tx } from '../../../platform/db.ts'
import { decimal } from '../../../platform/decimal.ts'
import { billableHours } from '../quarantine/billable.ts'
import { deadlineOf, planWindows, timestampOf, type Window } from './aws-windows.ts'
import type { BilledElsewhere } from './billed-elsewhere.ts'

export type ProductKey = { tenant: string; package: string; meter: string }
type Product = ProductKey & {
  product: string
  license_arn: string
  customer_account: string
  dimension: string
  since: Date
  planned_until: Date
  ends_at: Date | null
}
export type StoredWindow = {
  tenant: string
  id: string
  product: string
  license_arn: string
  customer_account: string
  dimension: string
  window_end: Date
  quantity: string
  attempts: number
}

/** Mapped usage that has closed hours not yet cut into windows. */
export const unplannedProducts = (db: Db, until: Date): Promise<ProductKey[]> =>
  db.query(
    `select tenant, package, meter from metering.aws_products
     where planned_until < ? and (ends_at is null or planned_until < ends_at) order by tenant, package, meter`,
    [until],
  )

/** Cuts closed hours into windows and stores them, in one transaction with how far the cutting has come. */
export async function planProduct(
  db: Db,
  key: ProductKey,
  options: { until: Date; now: Date; dry: boolean },
): Promise<void> {
  await db.transaction(async (tx) => {
    const product = await row<Product>(
      tx,
      'select * from metering.aws_products where tenant = ? and package = ? and meter = ? for update',
      [key.tenant, key.package, key.meter],
    )
    if (!product) return
    const { planned_until: from, ends_at: ends } = product
    const until = ends && ends < options.until ? ends : options.until
    if (until <= from) return
    const usage = await loadUsage(tx, product, until)
    await insertWindows(tx, product, planWindows({ ...usage, from, until }), options)
    await execute(
      tx,
      'update metering.aws_products set planned_until = ? where tenant = ? and package = ? and meter = ?',
      [until, key.tenant, key.package, key.meter],
    )
  })
}

/** Usage that names no package is billed to the oldest subscription that knows the meter, and so it is here. */
async function loadUsage(tx: Tx, { tenant, package: name, meter, since, planned_until: from }: Product, until: Date) {
  const hours = await rows<{ hour: Date; quantity: string }>(
    tx,
    `select greatest(hour, ?::timestamptz - interval '1 hour') as hour, trim_scale(sum(quantity))::text as quantity
     from metering.rollups r
     where tenant = ? and meter = ? and hour >= ? and hour < ? and ${billableHours('r')} and (package = ? or (package = '' and ? = (
       select s.package from metering.subscriptions s
       join metering.plans p on p.partner = s.partner and p.id = s.plan_id
       where s.tenant = r.tenant and jsonb_path_exists(p.body, '$.charges[*] \\? (@.meter == $m)',
         jsonb_build_object('m', r.meter))
       order by s.starts_at, s.id limit 1)))
     group by 1 order by 1`,
    [from, tenant, meter, since, until, name, name],
  )
  const [allotted] = await rows<{ quantity: string; last_end: Date | null }>(
    tx,
    `select coalesce(sum(quantity), 0)::text as quantity, max(window_end) as last_end from metering.aws_windows
     where tenant = ? and package = ? and meter = ? and window_start >= ?`,
    [tenant, name, meter, since],
  )
  const earlier = hours.filter(({ hour }) => hour < from)
  return {
    carried: earlier.reduce((sum, one) => sum + decimal(one.quantity), -decimal(allotted?.quantity ?? '0')),
    hours: hours
      .filter(({ hour }) => hour >= from)
      .map(({ hour, quantity }) => ({ hour, quantity: decimal(quantity) })),
    lastEnd: allotted?.last_end ?? since,
  }
}

async function insertWindows(
  tx: Tx,
  product: Product,
  windows: readonly Window[],
  { now, dry }: { now: Date; dry: boolean },
): Promise<void> {
  for (const window of windows)
    await execute(
      tx,
      `insert into metering.aws_windows (tenant, id, package, meter, product, license_arn, customer_account, dimension,
         window_start, window_end, quantity, deadline, state, next_attempt_at, updated_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        product.tenant,
        uuidv7(),
        product.package,
        product.meter,
        product.product,
        product.license_arn,
        product.customer_account,
        product.dimension,
        window.start,
        window.end,
        window.quantity.toString(),
        deadlineOf(timestampOf(window)),
        dry ? 'dry_run' : 'pending',
        now,
        now,
      ],
    )
}

/** Gives up what AWS would refuse by `at`: one such record would have its whole call refused. Returns how many. */
export const expireWindows = (db: Db, at: Date, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `update metering.aws_windows set state = 'expired', last_error = coalesce(last_error, 'too_late'), updated_at = ?
       where state = 'pending' and deadline <= ?`,
      [now, at],
    ),
  )

/** What is due, the nearest deadline first. */
export const dueWindows = (db: Db, now: Date, limit: number): Promise<StoredWindow[]> =>
  db.query(
    `select tenant, id, product, license_arn, customer_account, dimension, window_end, quantity::text as quantity, attempts
     from metering.aws_windows where state = 'pending' and next_attempt_at <= ? order by deadline, id limit ?`,
    [now, limit],
  )

export type WindowOutcome = { state: 'sent' | 'failed' | 'pending'; code: string | null; recordId: string | null }

/** Records what became of a window; one that is no longer pending stays as it is. */
export async function finishWindow(
  tx: Tx,
  { tenant, id }: StoredWindow,
  { state, code, recordId }: WindowOutcome,
  at: { now: Date; next: Date },
): Promise<void> {
  await execute(
    tx,
    `update metering.aws_windows set state = ?, last_error = ?, metering_record_id = ?, attempts = attempts + 1,
       next_attempt_at = ?, updated_at = ?
     where tenant = ? and id = ? and state = 'pending'`,
    [state, code, recordId, at.next, at.now, tenant, id],
  )
}

/** The nearest deadline of usage that AWS has not got yet, cut into windows or not; null when it has all. */
export async function nearestDeadline(db: Db): Promise<Date | null> {
  const [found] = await db.query<{ deadline: Date | null; hour: Date | null }>(
    `select (select min(deadline) from metering.aws_windows where state = 'pending') as deadline,
       (select min(r.hour) from metering.aws_products p join metering.rollups r
          on r.tenant = p.tenant and r.meter = p.meter and r.package in (p.package, '')
        where r.hour >= p.planned_until and (p.ends_at is null or r.hour < p.ends_at)) as hour`,
  )
  const deadlines = [found?.deadline, found?.hour && deadlineOf(found.hour)].filter((one) => one instanceof Date)
  return deadlines.sort((a, b) => a.getTime() - b.getTime())[0] ?? null
}

export const countWindows = (db: Db): Promise<{ state: string; n: number }[]> =>
  db.query('select state, count(*)::int as n from metering.aws_windows group by state order by 1')

/** Usage of these tenants that AWS bills, or billed. */
export async function productsOf(db: Db, tenants: readonly string[]): Promise<ReadonlyMap<string, BilledElsewhere[]>> {
  const found = await db.query<BilledElsewhere & { tenant: string }>(
    'select tenant, package, meter, since, ends_at from metering.aws_products where tenant = any(?::text[])',
    [tenants],
  )
  const products = new Map<string, BilledElsewhere[]>()
  for (const { tenant, ...one } of found) products.set(tenant, [...(products.get(tenant) ?? []), one])
  return products
}
