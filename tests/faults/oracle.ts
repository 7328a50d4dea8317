import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../../platform/db.ts'
import { hourOf, type Journal, METER, PACKAGE, thousandths } from './load.ts'

export type Finding = { acknowledged: number; counted: number; lost: number; double: number; wrong: string[] }
type Sums = { records: number; quantity: string }

/** Its own prices, multiplied out by hand below: what is billed is checked without the code that bills. */
export const CHARGES = [
  { id: 'each', meter: METER, model: 'per_unit', unit_amount: '0.0731' },
  {
    id: 'steps',
    meter: METER,
    model: 'graduated',
    tiers: [
      { up_to: '100', unit_amount: '0.5' },
      { up_to: null, unit_amount: '0.0125' },
    ],
  },
]
/** Nothing is lost as long as more is counted: a busy machine may take its time, and a stall ends the wait. */
const STALL_MS = 90_000

/** Waits until as much is counted as was acknowledged, and whoever counts has nothing left to do. */
export async function settled(owner: Db, name: string, journal: Journal, idle: () => Promise<boolean>): Promise<void> {
  let counted = -1
  let deadline = 0
  do {
    const { records } = await sums(owner, name)
    if (records > counted) deadline = performance.now() + STALL_MS
    counted = records
    if (counted >= journal.size && (await idle().catch(() => false))) return
    await pause(50)
  } while (performance.now() < deadline)
}

/** Compares a client's journal with what is stored: every id once, nothing else, and the exact sum. */
export async function compare(owner: Db, name: string, journal: Journal): Promise<Finding> {
  const { records: counted, quantity } = await sums(owner, name)
  const lost = await missing(owner, [...journal.keys()])
  const total = sumOf(journal)
  const wrong: string[] = []
  const double = Math.max(0, Number(counted) - (journal.size - lost))
  if (lost === 0 && double === 0 && quantity !== thousandths(total))
    wrong.push(`quantity ${quantity} instead of ${thousandths(total)}`)
  return { acknowledged: journal.size, counted: Number(counted), lost, double, wrong }
}

/** What the invoice of a month must say for these quantities, in cents. */
export function recount(journals: readonly Journal[]): { lines: bigint[]; total: bigint } {
  const quantity = journals.reduce((sum, journal) => sum + sumOf(journal), 0n)
  const below = quantity < 100_000n ? quantity : 100_000n
  // Thousandths of a unit times ten-thousandths of a dollar: a cent is 10^5 of them.
  const lines = [quantity * 731n, below * 5_000n + (quantity - below) * 125n].map(cents)
  return { lines, total: lines.reduce((sum, line) => sum + line, 0n) }
}

/** Why an invoice is not what the journals add up to, or nothing. */
export function invoiceFaults(
  invoice: { lines: { package?: string; amount: string }[]; total: string },
  journals: readonly Journal[],
): string[] {
  const expected = recount(journals)
  const found = invoice.lines.filter((line) => line.package === PACKAGE).map(({ amount }) => amount)
  const wanted = expected.lines.map(dollars)
  const faults: string[] = []
  if (found.toSorted().join() !== wanted.toSorted().join())
    faults.push(`invoice lines ${found.join(' + ')} instead of ${wanted.join(' + ')}`)
  if (invoice.total !== dollars(expected.total))
    faults.push(`invoice total ${invoice.total} instead of ${dollars(expected.total)}`)
  return faults
}

const sumOf = (journal: Journal): bigint => [...journal.values()].reduce((sum, one) => sum + one, 0n)
const cents = (exact: bigint): bigint => (exact + 50_000n) / 100_000n
const dollars = (amount: bigint): string => `${amount / 100n}.${String(amount % 100n).padStart(2, '0')}`

async function sums(owner: Db, name: string): Promise<Sums> {
  const [found] = await owner.query<Sums>(
    `select coalesce(sum(records), 0)::int as records, coalesce(sum(quantity), 0)::numeric(40, 3)::text as quantity
     from metering.rollups where meter = ? and hour = ?`,
    [METER, hourOf(name)],
  )
  return found as Sums
}

/** Of these ids, how many were never counted for anybody: their hashes tell. */
async function missing(owner: Db, ids: readonly string[]): Promise<number> {
  let known = 0
  for (let at = 0; at < ids.length; at += 20_000) {
    const keys = ids.slice(at, at + 20_000).map((id) => createHash('sha256').update(id).digest('hex').slice(0, 32))
    const [found] = await owner.query<{ n: number }>(
      `select count(distinct record_key)::int as n from metering.dedupe
       where record_key = any(select decode(k, 'hex') from unnest(?::text[]) k)`,
      [keys],
    )
    known += found?.n ?? 0
  }
  return ids.length - known
}
