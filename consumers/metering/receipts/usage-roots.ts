import type { Tx } from '../../../platform/db.ts'
import { rootOf } from '../../../platform/merkle.ts'
import type { InvoiceLine } from '../rating/line.ts'
import type { MeteredCharge } from '../rating/plan.ts'
import type { RatedInvoice } from '../rating/rate-invoice.ts'
import type { Subscription } from '../rating/usage.ts'
import { billedLeaves, isMetered, leftOutNow } from './billed-usage.ts'

/**
 * The lines with the root over the usage that each bills. Only for an invoice that is being issued, in its transaction
 * and with its row locked: what is counted later is then after it (`storeReport`).
 */
export async function withUsageRoots(
  tx: Tx,
  tenant: string,
  { lines, packages }: Pick<RatedInvoice, 'lines' | 'packages'>,
  subscriptions: readonly Subscription[],
): Promise<InvoiceLine[]> {
  const used = lines.some(isMetered) ? [...new Set([...packages.values()].flat())] : []
  const leftOut = used.length === 0 ? [] : await leftOutNow(tx, used)
  const rooted: InvoiceLine[] = []
  for (const line of lines) {
    if (!isMetered(line)) {
      rooted.push(line)
      continue
    }
    const priced = packages.get(line.adjusts ?? line.id) ?? []
    const out = leftOut.filter((one) => priced.includes(one.package))
    const charge = chargeIn(subscriptions, line)
    const leaves = await billedLeaves(tx, { tenant, line, packages: priced, leftOut: out, before: null, ...charge })
    rooted.push({
      ...line,
      usage_root: rootOf(leaves).toString('hex'),
      usage_reports: leaves.length,
      usage_packages: priced,
      ...(out.length > 0 ? { usage_left_out: out } : {}),
    })
  }
  return rooted
}

/** The charge behind a line of the current month; a late month may have had other plans. */
function chargeIn(subscriptions: readonly Subscription[], line: InvoiceLine): { charge?: MeteredCharge } {
  const versions = subscriptions.flatMap((one) => one.versions)
  const plan = versions.find(({ id }) => id === line.price_version)?.plan
  const charge = plan?.charges.find(({ id }) => id === line.charge)
  return charge === undefined || charge.model === 'flat' ? {} : { charge }
}
