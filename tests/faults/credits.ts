import { setTimeout as pause } from 'node:timers/promises'
import { type FakeStripe, startFakeStripe } from '../support/fake-stripe.ts'
import type { Driving } from './drives.ts'
import { expectedTotal, issue, tenantsWithUsage } from './invoices.ts'
import type { Finding } from './oracle.ts'
import { insist, type Server, type Stage } from './stage.ts'

const tenantsOf = (name: string) => ['a', 'b', 'c'].map((letter) => `${name}-${letter}`)

const LIMIT_MS = 60_000
/** Less than an invoice, so that there is something to send. */
const PREPAID = '1.00'

/** Invoices sent to a Stripe of ours that finance takes back, to be billed anew, asking again after every death. */
export function crediting(stage: Stage): Driving {
  let fake: FakeStripe | undefined
  return {
    services: ['billing'],
    // One is void, so that something was done before the crash.
    at: () => 2,
    async env() {
      fake ??= await startFakeStripe()
      return { STRIPE_KEY: fake.secretKey, STRIPE_API_BASE: fake.url }
    },
    async prepare(server, names) {
      const tenants = names.flatMap(tenantsOf)
      await tenantsWithUsage(stage, server, tenants)
      for (const tenant of tenants)
        await insist(server, 'POST', '/billing/credits', {
          token: stage.orgs.atom.tokens.finance as string,
          body: { tenant, amount: PREPAID, kind: 'paid', reference: 'order-1' },
        })
      await issue(stage, server)
      if (!(await allSent(stage, 'payment_sends', tenants))) throw new Error('the invoices were not sent')
    },
    push: (server, name) => takeBack(stage, server, tenantsOf(name)),
    async finish(last, name) {
      await takeBack(stage, last, tenantsOf(name))
      const told = await allSent(stage, 'credit_note_sends', tenantsOf(name))
      const finding = await found(stage, tenantsOf(name))
      if (!told) finding.wrong.push(`not all voids were told within ${LIMIT_MS} ms`)
      for (const { metadata, status } of (fake as FakeStripe).invoices())
        if (tenantsOf(name).includes(metadata.atom_tenant ?? '') && status !== 'void')
          finding.wrong.push(`${metadata.atom_tenant}: ${status} at Stripe`)
      return finding
    },
    async close() {
      await fake?.close()
    },
  }
}

/** Waits until one of each tenant was sent. */
async function allSent({ world: { owner } }: Stage, table: string, tenants: readonly string[]): Promise<boolean> {
  for (const deadline = performance.now() + LIMIT_MS; performance.now() < deadline; await pause(50)) {
    const [sent] = await owner.query<{ n: number }>(
      `select count(*)::int as n from metering.${table} where state = 'sent' and tenant = any(?::text[])`,
      [tenants],
    )
    if (sent?.n === tenants.length) return true
  }
  return false
}

async function takeBack({ world, orgs }: Stage, server: Server, tenants: readonly string[]): Promise<void> {
  const issued = await world.owner.query<{ id: string }>(
    "select id from metering.invoices where status = 'issued' and tenant = any(?::text[]) order by tenant",
    [tenants],
  )
  for (const { id } of issued)
    await insist(server, 'POST', `/billing/invoices/${id}/void`, {
      token: orgs.atom.tokens.finance as string,
      body: { reason: 'a fault', rebill: true },
    })
}

/** One credit note, one event, nothing owed of each invoice, and what was prepaid is back; its month is to be billed again, and no number is missing. */
async function found({ world: { owner } }: Stage, tenants: readonly string[]): Promise<Finding> {
  const wrong: string[] = []
  let double = 0
  const seen = await owner.query<
    Record<'tenant' | 'owed' | 'left' | 'prepaid', string> & Record<'notes' | 'events' | 'late', number>
  >(
    `select i.tenant,
       (select count(*)::int from metering.credit_notes c where c.tenant = i.tenant and c.invoice_id = i.id) as notes,
       (select count(*)::int from platform.event_log e
        where e.key = i.tenant and e.headers->>'ce_type' = 'credit_note.issued') as events,
       (select sum(amount)::numeric(40,2)::text from metering.ledger l
        where l.tenant = i.tenant and l.invoice_id = i.id and account = 'tenant_receivable') as owed,
       (select (body ->> 'credits_returned') from (select convert_from(c.body, 'UTF8')::jsonb as body
          from metering.credit_notes c where c.tenant = i.tenant and c.invoice_id = i.id) n) as prepaid,
       (select sum(remaining)::numeric(40,2)::text from metering.credits c where c.tenant = i.tenant) as left,
       (select count(*)::int from metering.late_periods p where p.tenant = i.tenant and p.period = i.period) as late
     from metering.invoices i
     where i.tenant = any(?::text[]) and i.status = 'issued'
       and convert_from(i.body, 'UTF8')::jsonb ->> 'total' = ?`,
    [tenants, expectedTotal()],
  )
  for (const { tenant, notes, events, owed, late, left, prepaid } of seen) {
    double += Math.max(0, notes - 1) + Math.max(0, events - 1)
    if (left !== PREPAID || prepaid !== PREPAID) wrong.push(`${tenant}: ${prepaid} given back, ${left} there`)
    if (notes !== 1 || events !== 1 || late !== 1 || owed !== '0.00')
      wrong.push(`${tenant}: ${notes} notes, ${events} events, ${owed} owed, ${late} late months`)
  }
  const [numbers] = await owner.query<{ notes: number; last: number }>(
    `select (select count(*)::int from metering.credit_notes) as notes, last_number::int as last
     from metering.credit_note_sequence`,
  )
  if (numbers?.notes !== numbers?.last) wrong.push(`${numbers?.notes} credit notes, sequence at ${numbers?.last}`)
  return { acknowledged: tenants.length, counted: seen.length, lost: tenants.length - seen.length, double, wrong }
}
