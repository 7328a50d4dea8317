import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { billingError } from '../errors.ts'
import { rateLive } from '../invoice.ts'
import { currencyDigits } from '../rating/currency.ts'
import { type Marked, markUsed, type UsedVersion } from './mark-used.ts'

/** What a tenant would owe more, tax included, and the months that would be rated again. */
export type ReleaseOf = { tenant: string; currency: string; net: string; tax: string; total: string; periods: string[] }
type Sums = { currency: string; net: Decimal; tax: Decimal }

/** Quarantined usage of a version that nobody has decided on. Throws 404, and 409 once it is decided. */
export async function undecided(tx: Tx, id: string): Promise<UsedVersion> {
  const found = isUuid(id)
    ? await row<UsedVersion & { state: string }>(
        tx,
        'select package, version, since, state from metering.quarantines where id = ?',
        [id],
      )
    : undefined
  if (!found) throw httpError('not_found', 'no quarantine with this id')
  if (found.state !== 'quarantined') throw billingError('quarantine_decided', `it is ${found.state} already`)
  return found
}

/** Those who used the version, in the order of their names. */
export const usersOf = async (tx: Tx, { package: of, version }: UsedVersion, after: string, limit: number) =>
  rows<{ tenant: string }>(
    tx,
    `select distinct tenant from metering.used_versions where package = ? and version = ? and tenant > ?
     order by tenant limit ?`,
    [of, version, after, limit],
  )

/**
 * What releasing a quarantine would bill one of its tenants. Releases it, in a transaction that the caller must take
 * back: so it is the very code that would bill it.
 */
export async function releaseFor(
  tx: Tx,
  id: string,
  tenant: string,
  share: string,
  now: Date,
): Promise<ReleaseOf | null> {
  const of = await undecided(tx, id)
  const before = await openSums(tx, tenant, share, now)
  await execute(
    tx,
    `update metering.quarantines set state = 'released', decided_by = 'nobody', justification = 'estimate', decided_at = ?
     where id = ?`,
    [now, id],
  )
  const marked: Marked[] = await markUsed(tx, of, now, tenant)
  const after = await openSums(tx, tenant, share, now)
  const [net, tax] = [after.net - before.net, after.tax - before.tax]
  if (marked.length === 0) return null
  const text = (value: Decimal) => formatDecimal(value, currencyDigits(after.currency))
  const periods = marked.map(({ period }) => period)
  return { tenant, currency: after.currency, net: text(net), tax: text(tax), total: text(net + tax), periods }
}

/** All open invoices of a tenant together, that of the current month also where nobody has used anything in it. */
async function openSums(tx: Tx, tenant: string, share: string, now: Date): Promise<Sums> {
  const open = await rows<{ period: string }>(
    tx,
    "select period from metering.invoices where tenant = ? and status = 'gathering' order by period",
    [tenant],
  )
  const sums: Sums = { currency: 'USD', net: 0n, tax: 0n }
  for (const period of new Set([...open.map((one) => one.period), periodOf(now)])) {
    const { rated } = await rateLive(tx, tenant, period, share, now)
    sums.currency = rated.currency
    sums.net += decimal(rated.subtotal)
    sums.tax += decimal(rated.tax)
  }
  return sums
}
