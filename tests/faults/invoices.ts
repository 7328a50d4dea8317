import { periodOf } from '../../platform/utc-time.ts'
import { begun, METER, PACKAGE } from './load.ts'
import { type Finding, recount } from './oracle.ts'
import { idle, insist, type Server, type Stage, subscribe } from './stage.ts'

const QUANTITIES = [120_500n, 7_001n, 33n]
/** Records of usage that each tenant has. */
export const USED = QUANTITIES.length

/** The middle of the month before this one, whose invoices may be issued. */
export const usageTime = new Date(Date.UTC(begun.getUTCFullYear(), begun.getUTCMonth() - 1, 15, 12))

/** New tenants with usage of last month, which their partner reports for them. */
export async function tenantsWithUsage(stage: Stage, running: Server, tenants: readonly string[]): Promise<void> {
  const { owner } = stage.world
  for (const tenant of tenants) {
    await owner.query("insert into platform.orgs values (?, ?, 'member', now())", [tenant, tenant])
    await subscribe(stage, running, tenant)
    const records = QUANTITIES.map((quantity, n) => ({
      id: `${tenant}-${n}`,
      meter: METER,
      quantity: `${quantity / 1000n}.${String(quantity % 1000n).padStart(3, '0')}`,
      time: usageTime.toISOString(),
      package: PACKAGE,
      tenant,
    }))
    await insist(running, 'POST', '/usage/report', { token: stage.orgs.demo.api_key, body: { records } })
  }
  for (;;) {
    const [counted] = await owner.query<{ n: number }>(
      'select coalesce(sum(records), 0)::int as n from metering.rollups where tenant = any(?::text[])',
      [tenants],
    )
    if (counted?.n === tenants.length * QUANTITIES.length && (await idle(running))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export const issue = (stage: Stage, running: Server) =>
  insist(running, 'POST', '/billing/invoices/issue', {
    token: stage.orgs.atom.tokens.finance as string,
    body: { period: periodOf(usageTime), collection: 'skip' },
  })

/** Each tenant has one issued invoice with one balanced posting and one event, and the numbers have no gap. */
export async function invoicesFound({ world: { owner } }: Stage, tenants: readonly string[]): Promise<Finding> {
  const found = await owner.query<{
    tenant: string
    total: string
    postings: number
    receivable: string
    off: string
    events: number
  }>(
    `select i.tenant, convert_from(i.body, 'UTF8')::jsonb->>'total' as total,
       (select count(distinct posting_id)::int from metering.ledger l
         where l.invoice_id = i.id and l.kind = 'invoice') as postings,
       (select sum(amount)::numeric(40,2)::text from metering.ledger l
        where l.invoice_id = i.id and account = 'tenant_receivable') as receivable,
       (select coalesce(sum(amount), 0)::numeric(40,2)::text from metering.ledger l where l.invoice_id = i.id) as off,
       (select count(*)::int from platform.event_log e
        where e.key = i.tenant and e.headers->>'ce_type' = 'invoice.issued') as events
     from metering.invoices i where i.tenant = any(?::text[]) and i.status = 'issued'`,
    [tenants],
  )
  const [numbers] = await owner.query<{ issued: number; highest: number; last: number }>(
    `select count(*)::int as issued, coalesce(max(substring(number from 6)::int), 0) as highest,
       (select last_number::int from metering.invoice_sequence) as last
     from metering.invoices where status = 'issued'`,
  )
  const expected = expectedTotal()
  const wrong: string[] = []
  if (numbers?.issued !== numbers?.highest || numbers?.issued !== numbers?.last)
    wrong.push(`${numbers?.issued} invoices, highest number ${numbers?.highest}, sequence at ${numbers?.last}`)
  let double = 0
  for (const { tenant, total: billed, postings, receivable, off, events } of found) {
    double += Math.max(0, postings - 1) + Math.max(0, events - 1)
    if (postings !== 1 || events !== 1) wrong.push(`${tenant}: ${postings} postings, ${events} events`)
    if (billed !== expected || receivable !== expected || off !== '0.00')
      wrong.push(`${tenant}: total ${billed}, receivable ${receivable}, balance ${off} instead of ${expected} and 0`)
  }
  return { acknowledged: tenants.length, counted: found.length, lost: tenants.length - found.length, double, wrong }
}

/** What each of these tenants owes, counted by hand. */
export function expectedTotal(): string {
  const { total } = recount([new Map(QUANTITIES.map((quantity, n) => [String(n), quantity]))])
  return `${total / 100n}.${String(total % 100n).padStart(2, '0')}`
}
