import { rows, type Tx } from '../../platform/db.ts'
import { decimal, formatDecimal } from '../../platform/decimal.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { loadPeriod } from './load-period.ts'
import { billableHours } from './quarantine/billable.ts'
import { currencyDigits } from './rating/currency.ts'
import { linesOf } from './rating/delta.ts'
import type { InvoiceLine } from './rating/line.ts'
import { passes } from './rating/measure.ts'
import { packagesPriced, payers, ratePeriod } from './rating/rate-period.ts'
import type { Dimensions, Subscription } from './rating/usage.ts'
import { type Billed, leftOutOf, loadLeftOut } from './receipts/billed-usage.ts'
import { reportsOf } from './receipts/line-reports.ts'

type Hour = {
  hour: Date
  package: string
  version: string
  dimensions: Dimensions
  quantity: string
  records: number
}
type Posting = { posting_id: string; account: string; partner: string | null; currency: string; amount: string }

/**
 * What is behind a line of an invoice: the price that applied, the line as its period is rated now, the hours of usage
 * it was made from, the reports that added to them, and the postings of its invoice. An adjustment is explained by the
 * line that it adjusts. Reports are those that the invoice knew, hours those of today.
 */
export async function explainLine(
  tx: Tx,
  tenant: string,
  { id: invoiceId, number, currency }: { id: string; number?: string; currency: string },
  line: InvoiceLine,
  { limit, after }: { limit: number; after: string | null },
) {
  const usage = await loadPeriod(tx, tenant, line.period)
  const digits = currencyDigits(currency)
  const rated = ratePeriod(usage, { tenant, digits, final: true })
  const base = line.adjusts ?? line.id
  const now = linesOf(rated, digits).find(({ id }) => id === base)
  const sold = rated.sold.find(({ lines }) => lines.some((one) => one.line.id === base))
  const version = sold?.subscription.versions.find(({ id }) => id === line.price_version)
  const charge = version?.plan.charges.find(({ id }) => id === line.charge)
  const hours =
    sold && charge && charge.model !== 'flat' && line.kind !== 'minimum' && line.kind !== 'maximum'
      ? (await hoursOf(tx, tenant, line, payers(usage.subscriptions), sold.subscription)).filter(
          ({ dimensions }) => passes(charge, dimensions) && inGroup(line.dimensions, dimensions),
        )
      : []
  const packages = line.usage_packages ?? new Map(packagesPriced(rated, usage.subscriptions)).get(base) ?? []
  const aggregation = charge && charge.model !== 'flat' ? charge.aggregation : undefined
  const leftOut =
    line.usage_root === undefined
      ? leftOutOf(await loadLeftOut(tx, packages), packages, aggregation ? { aggregation } : {})
      : (line.usage_left_out ?? [])
  const billed: Billed = { tenant, line, packages, leftOut, before: number ?? null }
  const reported = await reportsOf(tx, billed, limit, after)
  const explained = {
    line,
    rated_now: now ?? null,
    price:
      version && charge ? { version: version.id, effective_from: version.effective_from.toISOString(), charge } : null,
    usage: {
      quantity: formatDecimal(hours.reduce((sum, { quantity }) => sum + decimal(quantity), 0n)),
      records: hours.reduce((sum, { records }) => sum + records, 0),
      hours: hours.map(({ hour, ...one }) => ({ hour: hour.toISOString(), ...one })),
      root: reported.root,
      contributions: reported.contributions,
    },
    postings: await postingsOf(tx, tenant, invoiceId),
  }
  return { explained, reported }
}

async function hoursOf(
  tx: Tx,
  tenant: string,
  line: InvoiceLine,
  payer: ReturnType<typeof payers>,
  subscription: Subscription,
): Promise<Hour[]> {
  const { start, end } = periodBounds(line.period)
  const found = await rows<Hour>(
    tx,
    `select hour, package, version, dimensions, trim_scale(quantity)::text as quantity, records::float8 as records
     from metering.rollups r
     where tenant = ? and hour >= ? and hour < ? and meter = ? and ${billableHours('r')}
     order by hour, package, version, dimensions`,
    [tenant, line.from ?? start, line.to ?? end, line.meter],
  )
  return found.filter((one) => payer(line.meter ?? '', one.package) === subscription)
}

const inGroup = (group: Dimensions | undefined, dimensions: Dimensions): boolean =>
  Object.entries(group ?? {}).every(([name, value]) => (dimensions[name] ?? '') === value)

const postingsOf = (tx: Tx, tenant: string, invoiceId: string) =>
  rows<Posting>(
    tx,
    `select posting_id, account, partner, currency, amount::text from metering.ledger
     where tenant = ? and posting_id in (select posting_id from metering.ledger where tenant = ? and invoice_id = ?)
     order by posting_id, entry`,
    [tenant, tenant, invoiceId],
  )
