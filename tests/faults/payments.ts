import { setTimeout as pause } from 'node:timers/promises'
import { type FakeStripe, startFakeStripe, stripeEvent } from '../support/fake-stripe.ts'
import { expectedTotal, issue, tenantsWithUsage } from './invoices.ts'
import type { Finding } from './oracle.ts'
import type { Stage } from './stage.ts'
import type { Running } from './world.ts'

const SECRET = 'whsec_faults'
const LIMIT_MS = 60_000

/** A Stripe of our own for one point, and the settings with which a process sends to it. */
export async function openSink(): Promise<{ fake: FakeStripe; env: Record<string, string> }> {
  const fake = await startFakeStripe()
  const env = { STRIPE_KEY: fake.secretKey, STRIPE_API_BASE: fake.url, STRIPE_WEBHOOK_SECRETS: SECRET }
  return { fake, env }
}

/** Issues invoices and lets Stripe tell that each was paid, again and again, until the process dies or all is told. */
export async function collectFrom(stage: Stage, fake: FakeStripe, armed: Running, tenants: readonly string[]) {
  while (!(await fetch(armed.urls.billing).catch(() => null))) await pause(25)
  await tenantsWithUsage(stage, armed, tenants)
  await issue(stage, armed).catch(() => {})
  const telling = tellUntil(stage, fake, armed, tenants)
  return {
    async finish(recovered: Running): Promise<Finding> {
      await telling
      await issue(stage, recovered)
      const paid = await tellUntil(stage, fake, recovered, tenants)
      const finding = await found(stage, fake, tenants)
      if (!paid) finding.wrong.push(`not all were sent and paid within ${LIMIT_MS} ms`)
      await fake.close()
      return finding
    },
  }
}

/** Posts `invoice.paid` for whatever was finalized. True once every tenant's invoice is known to be paid. */
async function tellUntil(stage: Stage, fake: FakeStripe, running: Running, tenants: readonly string[]) {
  const deadline = performance.now() + LIMIT_MS
  while (running.alive() && performance.now() < deadline) {
    const [known] = await stage.world.owner.query<{ n: number }>(
      "select count(*)::int as n from metering.payment_states where state = 'paid' and tenant = any(?::text[])",
      [tenants],
    )
    if (known?.n === tenants.length) return true
    for (const { id, status } of fake.invoices()) if (status === 'open') await tell(running, id)
    await pause(50)
  }
  return false
}

async function tell({ urls }: Running, invoice: string): Promise<void> {
  const event = { id: `evt_${invoice}`, type: 'invoice.paid', object: { id: invoice }, at: new Date() }
  const { body, signature } = stripeEvent(event, [SECRET])
  const headers = { 'stripe-signature': signature }
  // A death mid-call is what this is for.
  await fetch(`${urls.billing}/billing/webhooks/stripe`, { method: 'POST', headers, body }).catch(() => null)
}

/** One final invoice of the right amount and one event of its payment for each tenant. */
async function found({ world: { owner } }: Stage, fake: FakeStripe, tenants: readonly string[]): Promise<Finding> {
  const cents = Number(expectedTotal().replace('.', ''))
  const wrong: string[] = []
  let double = 0
  let counted = 0
  for (const tenant of tenants) {
    const charges = fake.invoices().filter(({ metadata }) => metadata.atom_tenant === tenant)
    const [told] = await owner.query<{ n: number }>(
      "select count(*)::int as n from platform.event_log where key = ? and headers->>'ce_type' = 'payment.succeeded'",
      [tenant],
    )
    counted += charges.length > 0 ? 1 : 0
    double += Math.max(0, charges.length - 1)
    for (const { amount, status } of charges)
      if (amount !== cents || status !== 'open') wrong.push(`${tenant}: ${amount} ${status} instead of ${cents} open`)
    if (told?.n !== 1) wrong.push(`${tenant}: payment.succeeded told ${told?.n} times`)
  }
  return { acknowledged: tenants.length, counted, lost: tenants.length - counted, double, wrong }
}
