import { setTimeout as pause } from 'node:timers/promises'
import { type FakeStripe, startFakeStripe } from '../support/fake-stripe.ts'
import { stripeEvent } from '../support/stripe-webhooks.ts'
import type { Driving } from './drives.ts'
import { expectedTotal, issue, tenantsWithUsage } from './invoices.ts'
import type { Finding } from './oracle.ts'
import type { Server, Stage } from './stage.ts'

const SECRET = 'whsec_faults'
const LIMIT_MS = 60_000

const tenantsOf = (name: string) => ['a', 'b'].map((letter) => `${name}-${letter}`)

/** Invoices that are issued and sent to a Stripe of ours, which tells that each was paid, again and again. */
export function collecting(stage: Stage): Driving {
  let fake: FakeStripe | undefined
  let telling: Promise<boolean> | undefined
  let closing = false
  const all: string[] = []
  const stripe = () => fake as FakeStripe
  return {
    services: ['billing'],
    async env() {
      fake ??= await startFakeStripe()
      return { STRIPE_KEY: fake.secretKey, STRIPE_API_BASE: fake.url, STRIPE_WEBHOOK_SECRETS: SECRET }
    },
    async prepare(server, names) {
      all.push(...names.flatMap(tenantsOf))
      await tenantsWithUsage(stage, server, all)
    },
    async push(server) {
      // Over all deaths, however many there are.
      telling ??= tellUntil(stage, stripe(), server, all, () => !closing)
      await issue(stage, server)
    },
    async finish(last, name) {
      await issue(stage, last)
      const deadline = performance.now() + LIMIT_MS
      const inTime = () => last.alive() && performance.now() < deadline
      const paid = await tellUntil(stage, stripe(), last, tenantsOf(name), inTime)
      const finding = await found(stage, stripe(), tenantsOf(name))
      if (!paid) finding.wrong.push(`not all were sent and paid within ${LIMIT_MS} ms`)
      return finding
    },
    async close() {
      closing = true
      await telling
      await fake?.close()
    },
  }
}

/** Posts `invoice.paid` for whatever was finalized. True once every tenant's invoice is known to be paid. */
async function tellUntil(
  stage: Stage,
  fake: FakeStripe,
  running: Server,
  tenants: readonly string[],
  goesOn: () => boolean,
): Promise<boolean> {
  while (goesOn()) {
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

async function tell({ urls }: Server, invoice: string): Promise<void> {
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
