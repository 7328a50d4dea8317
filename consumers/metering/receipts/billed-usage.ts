import { row, rows, type Tx } from '../../../platform/db.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import type { InvoiceLine, LeftOut } from '../rating/line.ts'
import { passes } from '../rating/measure.ts'
import type { MeteredCharge, Plan } from '../rating/plan.ts'
import type { Dimensions } from '../rating/usage.ts'
import type { Contribution } from './contribution.ts'

/** Whose usage a line is of. `before`: the number of the invoice that carries it; null while it has none. */
export type Billed = {
  tenant: string
  line: InvoiceLine
  packages: readonly string[]
  leftOut: readonly LeftOut[]
  before: string | null
  /** What prices the line, where that is known already. */
  charge?: MeteredCharge
}

/** Lines that price usage of a meter: others (fees, minimums, discounts) have no usage of their own. */
export const isMetered = ({ meter, quantity, price_version }: InvoiceLine): boolean =>
  meter !== undefined && quantity !== undefined && price_version !== undefined

/** The leaves of a line's root: of what reports had added to its hours when its invoice was issued, in order. */
export async function billedLeaves(tx: Tx, billed: Billed): Promise<Buffer[]> {
  const which = await whichOf(tx, billed)
  if (!which) return []
  // As one value: of ten million events there may be twenty thousand contributions.
  const found = await row<{ leaves: Buffer | null }>(
    tx,
    `select string_agg(leaf, ''::bytea order by hour, report_id, leaf) as leaves
     from metering.contributions where ${which.sql}`,
    which.bindings,
  )
  const all = found?.leaves ?? Buffer.alloc(0)
  return Array.from({ length: all.length / 32 }, (_, at) => all.subarray(at * 32, at * 32 + 32))
}

/** What each report added to a line, in the order of their ids, after one of them. */
export async function billedReports(tx: Tx, billed: Billed, limit: number, after: string | null) {
  const which = await whichOf(tx, billed)
  if (!which) return []
  return rows<{ report_id: string; quantity: string; records: number }>(
    tx,
    `select report_id, trim_scale(sum(quantity))::text as quantity, sum(records)::int as records
     from metering.contributions where ${which.sql} ${after === null ? '' : 'and report_id > ?'}
     group by report_id order by report_id limit ?`,
    [...which.bindings, ...(after === null ? [] : [after]), limit],
  )
}

/** The contributions of a line as a condition, or null where it has none. */
async function whichOf(tx: Tx, { tenant, line, packages, leftOut, before, charge: known }: Billed) {
  const charge = known ?? (await chargeOf(tx, line))
  if (!charge || packages.length === 0) return null
  const { from, to } = spanOf(line)
  const sql = ['tenant = ? and meter = ? and hour >= ? and hour < ? and package = any(?::text[])']
  const bindings: unknown[] = [tenant, line.meter, from, to, [...packages]]
  if (before !== null) {
    sql.push('(after_invoice is null or (length(after_invoice), after_invoice) < (length(?), ?))')
    bindings.push(before, before)
  }
  if (leftOut.length > 0) {
    sql.push(`not exists (
      select 1 from jsonb_to_recordset(?::jsonb) as q (package text, version text, "from" timestamptz, "to" timestamptz)
      where q.package = contributions.package and q.version = contributions.version
        and (q."from" is null or hour >= q."from") and (q."to" is null or hour < q."to"))`)
    bindings.push(JSON.stringify(leftOut))
  }
  if (charge.filter || line.dimensions) {
    const kinds = await rows<{ key: Buffer; dimensions: Dimensions }>(
      tx,
      `select distinct dimensions_key as key, dimensions from metering.contributions where ${sql.join(' and ')}`,
      bindings,
    )
    const own = kinds.filter(({ dimensions }) => isOf(line, charge, dimensions))
    sql.push("dimensions_key = any(select decode(k, 'hex') from unnest(?::text[]) k)")
    bindings.push(own.map(({ key }) => key.toString('hex')))
  }
  return { sql: sql.join(' and '), bindings }
}

/** Whether a contribution is to what a line of an issued invoice billed, had it been counted before it. */
export function isBilledOn(
  { line, packages, leftOut }: Pick<Billed, 'line' | 'packages' | 'leftOut'>,
  charge: MeteredCharge,
  one: Contribution,
): boolean {
  const { from, to } = spanOf(line)
  const hour = new Date(one.hour)
  const covers = line.meter === one.meter && packages.includes(one.package) && hour >= from && hour < to
  return covers && !leftOut.some((out) => isIn(out, one, hour)) && isOf(line, charge, one.dimensions)
}

const isIn = ({ package: of, version, from, to }: LeftOut, one: Contribution, hour: Date): boolean =>
  of === one.package &&
  version === one.version &&
  (from === null || hour >= new Date(from)) &&
  (to === null || hour < new Date(to))

/** What is not billed now of packages, as the rating of the same transaction leaves it out. */
export async function leftOutNow(tx: Tx, packages: readonly string[]): Promise<LeftOut[]> {
  const text = (at: Date | null) => at?.toISOString() ?? null
  const found = await rows<{ package: string; version: string; from: Date | null; to: Date | null }>(
    tx,
    `select package, version, date_trunc('hour', since) as from, date_trunc('hour', until) as to
     from metering.quarantines where package = any(?::text[]) and state <> 'released' order by package, version, since`,
    [packages],
  )
  return found.map(({ from, to, ...one }) => ({ ...one, from: text(from), to: text(to) }))
}

function spanOf({ period, from, to }: InvoiceLine): { from: Date; to: Date } {
  const { start, end } = periodBounds(period)
  return { from: from === undefined ? start : new Date(from), to: to === undefined ? end : new Date(to) }
}

const isOf = (line: InvoiceLine, charge: MeteredCharge, dimensions: Dimensions): boolean =>
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
