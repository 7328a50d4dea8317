import { row, rows, type Tx } from '../../../platform/db.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import type { InvoiceLine } from '../rating/line.ts'
import { passes } from '../rating/measure.ts'
import type { MeteredCharge, Plan } from '../rating/plan.ts'
import type { Dimensions } from '../rating/usage.ts'
import type { Contribution } from './contribution.ts'

/** Whose usage a line is of. `before`: the number of the invoice that carries it; null while it has none. */
export type Billed = { tenant: string; line: InvoiceLine; packages: readonly string[]; before: string | null }

/** Lines that price usage of a meter: others (fees, minimums, discounts) have no usage of their own. */
export const isMetered = ({ meter, quantity, price_version }: InvoiceLine): boolean =>
  meter !== undefined && quantity !== undefined && price_version !== undefined

/** What reports had added to the hours of a line when its invoice was issued, in the order that its root is over. */
export async function billedUsage(tx: Tx, { tenant, line, packages, before }: Billed): Promise<Contribution[]> {
  const { start, end } = periodBounds(line.period)
  const charge = await chargeOf(tx, line)
  if (!charge || packages.length === 0) return []
  const found = await rows<Contribution>(
    tx,
    `select report_id, to_char(hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as hour, meter, package,
       dimensions, trim_scale(quantity)::text as quantity, records, encode(root, 'hex') as root
     from metering.contributions
     where tenant = ? and meter = ? and hour >= ? and hour < ? and package = any(?::text[])
       ${before === null ? '' : 'and (after_invoice is null or (length(after_invoice), after_invoice) < (length(?), ?))'}
     order by contributions.hour, report_id, package collate "C", dimensions_key`,
    [
      tenant,
      line.meter,
      line.from ?? start,
      line.to ?? end,
      [...packages],
      ...(before === null ? [] : [before, before]),
    ],
  )
  return found.filter(({ dimensions }) => isOf(line, charge, dimensions))
}

/** Whether usage with these dimensions is what a line prices. */
export const isOf = (line: InvoiceLine, charge: MeteredCharge, dimensions: Dimensions): boolean =>
  passes(charge, dimensions) &&
  Object.entries(line.dimensions ?? {}).every(([name, value]) => (dimensions[name] ?? '') === value)

/** The charge that priced a line: plan versions never change, so it is the same for ever. */
export async function chargeOf(tx: Tx, line: InvoiceLine): Promise<MeteredCharge | null> {
  if (!isMetered(line)) return null
  const plan = await row<{ body: Plan }>(tx, 'select body from metering.plans where partner = ? and id = ?', [
    line.partner,
    line.price_version,
  ])
  const charge = plan?.body.charges.find(({ id }) => id === line.charge)
  return charge === undefined || charge.model === 'flat' ? null : charge
}
