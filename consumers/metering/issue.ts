import { keyLock } from '../../platform/bus/outbox.ts'
import { row, rows, type Tx } from '../../platform/db.ts'
import { messageOf } from '../../platform/errors.ts'
import { fault } from '../../platform/fault.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { lockWallets } from './credits/wallet.ts'
import type { MeteringDeps } from './deps.ts'
import { issueHeld } from './issue-held.ts'
import { noteIssueFailed, openInvoices } from './life/issue-life.ts'
import { loadTogether } from './load-together.ts'
import { oldestOpenMonth, openForFixedFees, periodsBetween } from './open-invoices.ts'
import { perTenant } from './per-tenant.ts'

/** When a month's collection window ends: from then on its invoices may be issued. */
export function collectionEnds(period: string, collectionHours: number): Date {
  return new Date(periodBounds(period).end.getTime() + collectionHours * 3_600_000)
}

/**
 * Issues every open invoice of a month that has lines and that nothing holds back; `impatient`, also those whose next
 * attempt is not due yet. Running it again, or twice at once, issues nothing twice.
 */
export async function issuePeriod(deps: MeteringDeps, period: string, impatient = true): Promise<string[]> {
  const { start, end } = periodBounds(period)
  await deps.allTenants.transaction((tx) => openForFixedFees(tx, period, start, end))
  const open = await openInvoices(deps, period, impatient)
  const issued: string[] = []
  const alone: string[] = []
  const groups = inGroups(open, TOGETHER)
  async function issueGroups(): Promise<void> {
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      const done = await issueTogether(deps, group, period)
      if (done) {
        issued.push(...done.numbers)
        alone.push(...done.left)
      } else if (group.length === 1) alone.push(...group)
      else groups.unshift(...inGroups(group, Math.ceil(group.length / 2)))
    }
  }
  // Two at a time: while one writes, the other reads. More would only wait, because the number is locked until a commit.
  await Promise.all([issueGroups(), issueGroups()])
  for (const tenant of alone) {
    const number = await issueInvoice(deps, tenant, period)
    if (number) issued.push(number)
  }
  if (issued.length > 0) deps.wake()
  return issued
}

/**
 * Enough that statements are shared by many, and the pages that usage of a month lies on are read a few times and not
 * often; few enough to be done long before the database ends a statement.
 */
const TOGETHER = 200

function inGroups<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size))
}

/**
 * Issues invoices in one transaction; null when one of them cannot be issued, so that none is. `left` is whose usage is
 * just being counted: that may hold several invoices in an order of its own, so nobody waits for it here.
 */
async function issueTogether(deps: MeteringDeps, tenants: readonly string[], period: string) {
  try {
    const { numbers, held, left } = await committing(deps, tenants, async (tx) => {
      const held = await gathering(tx, tenants, period, 'for update skip locked')
      // Before they are rated: what credits pay is then still there when they are taken.
      await lockWallets(tx, held)
      const loaded = await loadTogether(tx, held, period, deps.partnerSharePercent)
      const numbers = await issueHeld(tx, deps, held, period, loaded)
      const others = tenants.filter((tenant) => !held.includes(tenant))
      const left = others.length === 0 ? [] : await gathering(tx, others, period)
      return { numbers, held, left }
    })
    for (const tenant of held) deps.failing.delete(tenant)
    return { numbers, left }
  } catch (error) {
    deps.log.warn('invoices that were to be issued together are tried again in halves', {
      invoices: tenants.length,
      error: messageOf(error),
    })
    return null
  }
}

async function gathering(tx: Tx, tenants: readonly string[], period: string, lock: 'for update skip locked' | '' = '') {
  const found = await rows<{ tenant: string }>(
    tx,
    `select tenant from metering.invoices where tenant = any(?::text[]) and period = ? and status = 'gathering'
     order by tenant ${lock}`,
    [tenants, period],
  )
  return found.map(({ tenant }) => tenant)
}

/** Issues one open invoice and returns its number; null where it has no lines, is held back, or failed. */
export async function issueInvoice(deps: MeteringDeps, tenant: string, period: string): Promise<string | null> {
  const number = await perTenant(deps, tenant, () =>
    issueOne(deps, tenant, period).catch((error) => noteIssueFailed(deps, tenant, period, error)),
  )
  if (number) deps.wake()
  return number
}

/** Issues what is due by now; what the clock calls once a minute. */
export async function issueDue(deps: MeteringDeps): Promise<string[]> {
  const now = deps.now()
  for (const period of periodsBetween(oldestOpenMonth(now), now)) {
    const { start, end } = periodBounds(period)
    await deps.allTenants.transaction((tx) => openForFixedFees(tx, period, start, end))
  }
  const open = await deps.allTenants.query<{ period: string }>(
    "select distinct period from metering.invoices where status = 'gathering' order by period",
  )
  const issued: string[] = []
  for (const { period } of open)
    if (collectionEnds(period, deps.collectionHours) <= deps.now())
      issued.push(...(await issuePeriod(deps, period, false)))
  return issued
}

const issueOne = (deps: MeteringDeps, tenant: string, period: string): Promise<string | null> =>
  committing(deps, [tenant], async (tx) => {
    const held = await row(
      tx,
      "select 1 from metering.invoices where tenant = ? and period = ? and status = 'gathering' for update",
      [tenant, period],
    )
    if (!held) return null
    await lockWallets(tx, [tenant])
    const [number] = await issueHeld(tx, deps, [tenant], period)
    return number ?? null
  })

/** One transaction that may announce invoices of these tenants. */
async function committing<T>(
  { allTenants }: MeteringDeps,
  tenants: readonly string[],
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const done = await allTenants.transaction(
    async (tx) => {
      const result = await work(tx)
      fault('issue.before-commit')
      return result
    },
    { locks: tenants.map((tenant) => keyLock(invoiceIssued.topic, tenant)) },
  )
  fault('issue.after-commit')
  return done
}
