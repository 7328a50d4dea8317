import type { Tx } from '../../../platform/db.ts'
import { rootOf } from '../../../platform/merkle.ts'
import type { LiveInvoice } from '../invoice.ts'
import type { InvoiceLine } from '../rating/line.ts'
import type { MeteredCharge } from '../rating/plan.ts'
import type { Subscription } from '../rating/usage.ts'
import { type Billed, billedLeaves, chargeNamed, chargesOf, isMetered, leftOutOf, loadLeftOut } from './billed-usage.ts'

/**
 * Records whose contributions are asked for together: each is in one, most share theirs with others of their report, and
 * half a million hashes are 16 MB.
 */
const AT_ONCE = 500_000

/**
 * Gives the lines of invoices the root over the usage that each bills. Only for invoices that are being issued, in their
 * transaction and with their rows locked: what is counted later is then after them (`storeReport`). However many lines
 * and invoices, a few statements, until their usage is too much to hold at once.
 */
export async function addUsageRoots(tx: Tx, invoices: readonly { tenant: string; live: LiveInvoice }[]): Promise<void> {
  const metered = invoices.flatMap(({ tenant, live }) =>
    live.rated.lines.filter(isMetered).map((line) => ({ tenant, live, line, packages: pricedBy(live, line) })),
  )
  if (metered.length === 0) return
  const known = new Map(metered.map(({ live, line }) => [line, chargeIn(live.subscriptions, line)]))
  const chargeOf = await chargesOf(
    tx,
    metered.flatMap(({ line }) => (known.get(line) ? [] : [line])),
  )
  const quarantined = await loadLeftOut(tx, [...new Set(metered.flatMap(({ packages }) => packages))])
  const billed = metered.map(({ tenant, live, line, packages }) => {
    const charge = known.get(line) ?? chargeOf(line)
    const leftOut = charge ? leftOutOf(quarantined, packages, charge) : []
    return { tenant, live, line, packages, leftOut, before: null, charge }
  })
  const rooted = new Map<InvoiceLine, InvoiceLine>()
  for (const part of parts(billed)) {
    const leaves = await billedLeaves(tx, part)
    for (const [n, { line, packages, leftOut }] of part.entries()) {
      const own = leaves[n] ?? []
      rooted.set(line, {
        ...line,
        usage_root: rootOf(own).toString('hex'),
        usage_reports: own.length,
        usage_packages: packages,
        ...(leftOut.length > 0 ? { usage_left_out: leftOut } : {}),
      })
    }
  }
  for (const { live } of invoices) live.rated.lines = live.rated.lines.map((line) => rooted.get(line) ?? line)
}

/** As many lines together as may be held at once; at least one. */
function* parts<T extends Billed & { live: LiveInvoice }>(billed: readonly T[]): Generator<T[]> {
  let part: T[] = []
  let size = 0
  for (const one of billed) {
    const records = one.live.records.get(one.line.meter ?? '') ?? 0
    if (part.length > 0 && size + records > AT_ONCE) {
      yield part
      part = []
      size = 0
    }
    part.push(one)
    size += records
  }
  if (part.length > 0) yield part
}

const pricedBy = ({ rated: { packages } }: LiveInvoice, line: InvoiceLine): readonly string[] =>
  packages.get(line.adjusts ?? line.id) ?? []

/** The charge behind a line of the current month; a late month may have had other plans. */
function chargeIn(subscriptions: readonly Subscription[], line: InvoiceLine): MeteredCharge | null {
  const versions = subscriptions.flatMap((one) => one.versions)
  return chargeNamed(versions.find(({ id }) => id === line.price_version)?.plan, line)
}
