import { rows, type Tx } from '../../../platform/db.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import { groupBy } from '../rating/group-by.ts'
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
  /** What prices the line, where that is known already; null where nothing metered does. */
  charge?: MeteredCharge | null
}

/** Lines that price usage of a meter: others (fees, minimums, discounts) have no usage of their own. */
export const isMetered = ({ meter, quantity, price_version }: InvoiceLine): boolean =>
  meter !== undefined && quantity !== undefined && price_version !== undefined

/** The leaves of each line's root: of what reports had added to its hours when its invoice was issued, in order. */
export async function billedLeaves(tx: Tx, billed: readonly Billed[]): Promise<Buffer[][]> {
  const asked = await askedOf(tx, billed)
  if (asked.length === 0) return billed.map(() => [])
  // As one value a line: of ten million events there may be twenty thousand contributions.
  const found = await rows<{ n: number; leaves: Buffer | null }>(
    tx,
    `select w.n, l.leaves from ${ASKED} cross join lateral (
       select string_agg(leaf, ''::bytea order by hour, report_id, leaf) as leaves from ${OF_LINE}) l`,
    [JSON.stringify(asked)],
  )
  const leaves = new Map(found.map((one) => [one.n, one.leaves ?? Buffer.alloc(0)]))
  return billed.map((_, n) => {
    const all = leaves.get(n) ?? Buffer.alloc(0)
    return Array.from({ length: all.length / 32 }, (_, at) => all.subarray(at * 32, at * 32 + 32))
  })
}

/** What each report added to a line, in the order of their ids, after one of them. */
export async function billedReports(tx: Tx, billed: Billed, limit: number, after: string | null) {
  const asked = await askedOf(tx, [billed])
  if (asked.length === 0) return []
  return rows<{ report_id: string; quantity: string; records: number }>(
    tx,
    `select r.* from ${ASKED} cross join lateral (
       select report_id, trim_scale(sum(quantity))::text as quantity, sum(records)::int as records
       from ${OF_LINE} and (?::uuid is null or report_id > ?)
       group by report_id order by report_id limit ?) r`,
    [JSON.stringify(asked), after, after, limit],
  )
}

/** A line as the conditions below ask for it: `n` is its place among those that are asked for together. */
type Asked = {
  n: number
  tenant: string
  meter: string | undefined
  from: Date
  to: Date
  packages: readonly string[]
  before: string | null
  left_out: readonly LeftOut[] | null
  keys: readonly string[] | null
}
const ASKED = `jsonb_to_recordset(?::jsonb) as w (n int, tenant text, meter text, "from" timestamptz, "to" timestamptz,
  packages text[], before text, left_out jsonb, keys text[])`
/** The contributions of one asked line. */
const OF_LINE = `metering.contributions c
  where c.tenant = w.tenant and c.meter = w.meter and c.hour >= w."from" and c.hour < w."to"
    and c.package = any(w.packages)
    and (w.before is null or c.after_invoice is null
      or (length(c.after_invoice), c.after_invoice) < (length(w.before), w.before))
    and (w.keys is null or encode(c.dimensions_key, 'hex') = any(w.keys))
    and (w.left_out is null or not exists (
      select 1 from jsonb_to_recordset(w.left_out) as q (package text, version text, "from" timestamptz, "to" timestamptz)
      where q.package = c.package and q.version = c.version
        and (q."from" is null or c.hour >= q."from") and (q."to" is null or c.hour < q."to")))`

/** What to ask for; lines without contributions are not in it. However many lines, at most two statements. */
async function askedOf(tx: Tx, billed: readonly Billed[]): Promise<Asked[]> {
  const unknown = billed.filter(({ charge }) => charge === undefined).map(({ line }) => line)
  const chargeOf = await chargesOf(tx, unknown)
  const asked: Asked[] = []
  const narrowed: { one: Asked; line: InvoiceLine; charge: MeteredCharge }[] = []
  for (const [n, { tenant, line, packages, leftOut, before, charge: known }] of billed.entries()) {
    const charge = known === undefined ? chargeOf(line) : known
    if (!charge || packages.length === 0) continue
    const left_out = leftOut.length === 0 ? null : leftOut
    const one = { n, tenant, meter: line.meter, ...spanOf(line), packages, before, left_out, keys: null }
    asked.push(one)
    if (charge.filter || line.dimensions) narrowed.push({ one, line, charge })
  }
  if (narrowed.length === 0) return asked
  const kinds = await rows<{ n: number; key: string; dimensions: Dimensions }>(
    tx,
    `select w.n, k.key, k.dimensions from ${ASKED} cross join lateral (
       select distinct encode(dimensions_key, 'hex') as key, dimensions from ${OF_LINE}) k`,
    [JSON.stringify(narrowed.map(({ one }) => one))],
  )
  const kindsOf = groupBy(kinds, ({ n }) => String(n))
  for (const { one, line, charge } of narrowed)
    one.keys = (kindsOf.get(String(one.n)) ?? [])
      .filter(({ dimensions }) => isOf(line, charge, dimensions))
      .map(({ key }) => key)
  return asked
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

type Quarantined = { package: string; version: string; since: Date | null; until: Date | null }

/** What is not billed now of packages, whatever prices it. */
export const loadLeftOut = (tx: Tx, packages: readonly string[]): Promise<Quarantined[]> =>
  rows<Quarantined>(
    tx,
    `select package, version, since, until from metering.quarantines
     where package = any(?::text[]) and state <> 'released' order by package, version, since`,
    [packages],
  )

/** Those of them that a charge does not bill, as the rating of the same transaction leaves them out. */
export function leftOutOf(
  quarantined: readonly Quarantined[],
  packages: readonly string[],
  { aggregation }: Pick<MeteredCharge, 'aggregation'>,
): LeftOut[] {
  // Values that are counted once are kept by the day (`billableDays`).
  const unit = aggregation === 'unique' ? DAY_MS : HOUR_MS
  const text = (at: Date | null) =>
    at === null ? null : new Date(Math.floor(at.getTime() / unit) * unit).toISOString()
  return quarantined
    .filter((one) => packages.includes(one.package))
    .map(({ since, until, ...one }) => ({
      package: one.package,
      version: one.version,
      from: text(since),
      to: text(until),
    }))
}
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

function spanOf({ period, from, to }: InvoiceLine): { from: Date; to: Date } {
  const { start, end } = periodBounds(period)
  return { from: from === undefined ? start : new Date(from), to: to === undefined ? end : new Date(to) }
}

const isOf = (line: InvoiceLine, charge: MeteredCharge, dimensions: Dimensions): boolean =>
  passes(charge, dimensions) &&
  Object.entries(line.dimensions ?? {}).every(([name, value]) => (dimensions[name] ?? '') === value)

/** The charges that priced lines, read in one statement: plan versions never change, so they are the same for ever. */
export async function chargesOf(
  tx: Tx,
  lines: readonly InvoiceLine[],
): Promise<(line: InvoiceLine) => MeteredCharge | null> {
  const versions = new Map(lines.filter(isMetered).map((line) => [versionOf(line), line]))
  const wanted = [...versions.values()]
  const found =
    wanted.length === 0
      ? []
      : await rows<{ partner: string; id: string; body: Plan }>(
          tx,
          `select p.partner, p.id, p.body from metering.plans p
           join unnest(?::text[], ?::uuid[]) as w (partner, id) on w.partner = p.partner and w.id = p.id`,
          [wanted.map(({ partner }) => partner), wanted.map(({ price_version }) => price_version)],
        )
  const plans = new Map(found.map(({ partner, id, body }) => [versionOf({ partner, price_version: id }), body]))
  return (line) => (isMetered(line) ? chargeNamed(plans.get(versionOf(line)), line) : null)
}

/** The metered charge of a plan that a line names. */
export function chargeNamed(plan: Plan | undefined, line: InvoiceLine): MeteredCharge | null {
  const charge = plan?.charges.find(({ id }) => id === line.charge)
  return charge === undefined || charge.model === 'flat' ? null : charge
}

const versionOf = ({ partner, price_version }: Pick<InvoiceLine, 'partner' | 'price_version'>): string =>
  `${partner} ${price_version}`
