import type { Tx } from '../../../platform/db.ts'
import { rootOf } from '../../../platform/merkle.ts'
import type { InvoiceLine } from '../rating/line.ts'
import { billedLeaves, isMetered, leftOutNow } from './billed-usage.ts'

/**
 * The lines with the root over the usage that each bills. Only for an invoice that is being issued, in its transaction
 * and with its row locked: what is counted later is then after it (`storeReport`).
 */
export async function withUsageRoots(
  tx: Tx,
  tenant: string,
  lines: readonly InvoiceLine[],
  packages: ReadonlyMap<string, readonly string[]>,
): Promise<InvoiceLine[]> {
  const rooted: InvoiceLine[] = []
  for (const line of lines) {
    if (!isMetered(line)) {
      rooted.push(line)
      continue
    }
    const priced = packages.get(line.adjusts ?? line.id) ?? []
    const leftOut = await leftOutNow(tx, priced)
    const leaves = await billedLeaves(tx, { tenant, line, packages: priced, leftOut, before: null })
    rooted.push({
      ...line,
      usage_root: rootOf(leaves).toString('hex'),
      usage_reports: leaves.length,
      usage_packages: priced,
      ...(leftOut.length > 0 ? { usage_left_out: leftOut } : {}),
    })
  }
  return rooted
}
