import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import { productsOf } from './aws-store.ts'
import { type BilledElsewhere, shareElsewhere } from './billed-elsewhere.ts'
import type { PaymentDeps } from './deps.ts'
import { GatewayError, type PaymentGateway } from './gateway.ts'
import { type InvoiceToSend, invoiceToSend } from './invoice-to-send.ts'
import { metersOf } from './meter-store.ts'
import { MOST_ATTEMPTS, retryDelayMs } from './retry-delay.ts'
import {
  beginStep,
  customerOf,
  dueSends,
  failStep,
  finishStep,
  insertPlanned,
  rememberCustomer,
  type Send,
  type SendKey,
  unplanned,
} from './sends.ts'

/** At once: enough to hide the network's latency, far from Stripe's limit of 100 calls a second. */
const AT_ONCE = 8

/**
 * Notes every issued invoice that is not noted yet, then takes what is due as far as it goes. One process does so at a
 * time. Returns how many invoices were worked on.
 */
export async function sendInvoices(deps: PaymentDeps): Promise<number> {
  if (!deps.leads()) return 0
  await planSends(deps)
  const { gateway } = deps
  if (gateway === null) return 0
  let worked = 0
  while (deps.leads()) {
    const due = await dueSends(deps.allTenants, deps.now(), AT_ONCE)
    if (due.length === 0) break
    await Promise.all(due.map((key) => sendOne(deps, gateway, key)))
    worked += due.length
  }
  return worked
}

async function planSends(deps: PaymentDeps): Promise<void> {
  for (;;) {
    const found = await unplanned(deps.allTenants)
    if (found.length === 0) return
    const tenants = [...new Set(found.map(({ tenant }) => tenant))]
    const byAws = await productsOf(deps.allTenants, tenants)
    const byMeters = await metersOf(deps.allTenants, tenants)
    const planned = found.map(({ body, ...key }) => {
      const elsewhere = { aws: byAws.get(key.tenant) ?? [], stripe_meters: byMeters(key.tenant) }
      return { ...key, ...plan(deps, body, elsewhere) }
    })
    await insertPlanned(deps.allTenants, planned, deps.now())
    fault('payments.after-plan')
  }
}

type Elsewhere = { aws: readonly BilledElsewhere[]; stripe_meters: readonly BilledElsewhere[] }

/**
 * AWS, and Stripe by its own meters, charge for what they are told of: such an invoice is not sent a second time, and a
 * mixed one waits for finance.
 */
function plan({ gateway, daysUntilDue }: PaymentDeps, body: Buffer, { aws, stripe_meters }: Elsewhere) {
  try {
    const { draft, items, rounding, lines, prepaid } = invoiceToSend(body, daysUntilDue)
    const share = shareElsewhere(lines, [...aws, ...stripe_meters])
    const by = shareElsewhere(lines, aws) === 'none' ? 'stripe_meters' : 'aws'
    const notSent = { rounding, would_send: null }
    // Nobody there knows what was prepaid here, so the tenant would pay for it twice.
    if (share === 'whole' && prepaid)
      return { ...notSent, state: 'failed' as const, last_error: `prepaid_and_billed_by_${by}` }
    if (share === 'whole') return { ...notSent, state: 'skipped' as const, last_error: `billed_by_${by}` }
    if (share === 'part') return { ...notSent, state: 'failed' as const, last_error: `partly_billed_by_${by}` }
    if (gateway) return { state: 'pending' as const, last_error: null, rounding, would_send: null }
    // JSON has no integers of this size.
    const shown = items.map((item) => ({ ...item, amount: item.amount.toString() }))
    return { state: 'dry_run' as const, last_error: null, rounding, would_send: { invoice: draft, items: shown } }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { state: 'failed' as const, last_error: error.code, rounding: '0', would_send: null }
  }
}

/** Takes one step after the other until one fails, all are taken, or another process has taken over. */
async function sendOne(deps: PaymentDeps, gateway: PaymentGateway, key: SendKey): Promise<void> {
  for (let more = true; more && deps.leads(); ) {
    const send = await beginStep(deps.allTenants, key, deps.now())
    if (!send) return
    fault('payments.after-begin')
    more = await tryStep(deps, gateway, send)
  }
}

async function tryStep(deps: PaymentDeps, gateway: PaymentGateway, send: Send): Promise<boolean> {
  try {
    const external = await takeStep(deps, gateway, send, invoiceToSend(send.body, deps.daysUntilDue))
    fault('payments.after-effect')
    const recorded = await finishStep(deps.allTenants, send, external, deps.now())
    fault('payments.after-record')
    return recorded
  } catch (error) {
    await noteFailure(deps, send, error)
    return false
  }
}

/** Does the step's work at the provider, or finds that it was done. Returns the provider's id of the invoice. */
async function takeStep(deps: PaymentDeps, gateway: PaymentGateway, send: Send, { draft, items }: InvoiceToSend) {
  const { tenant, invoice_id, step, external_id: external } = send
  const attempt = { key: `atom/${invoice_id}/${step}/${send.key_generation}`, look: send.attempts > 1 }
  const known = await customerOf(deps.allTenants, tenant)
  if (step === 'customer') {
    if (known === null) {
      const key = `atom/${tenant}/customer/${send.key_generation}`
      await rememberCustomer(deps.allTenants, tenant, await gateway.ensureCustomer({ tenant }, { ...attempt, key }))
    }
    return external
  }
  const customer = known as string
  if (step === 'invoice') return gateway.ensureInvoice({ ...draft, customer }, attempt)
  const invoice = external as string
  if (step === 'finalize') {
    await gateway.finalizeInvoice(invoice, attempt.key)
    return invoice
  }
  const there = attempt.look ? await gateway.itemsOf(invoice) : new Set<string>()
  for (const item of items) {
    if (there.has(item.ref)) continue
    if (!deps.leads()) throw new GatewayError('retry', 'interrupted')
    await gateway.addItem(invoice, customer, item, `atom/${invoice_id}/item/${item.ref}/${send.key_generation}`)
    fault('payments.after-item')
  }
  return invoice
}

async function noteFailure(deps: PaymentDeps, send: Send, error: unknown): Promise<void> {
  const { kind, code, retryAfterMs } =
    error instanceof GatewayError ? error : { kind: 'retry' as const, code: 'internal', retryAfterMs: 0 }
  const over = kind === 'permanent' || send.attempts >= MOST_ATTEMPTS
  const now = deps.now()
  const delay = retryDelayMs(send.attempts, deps.random(), retryAfterMs)
  deps.log[over ? 'error' : 'warn']('sending an invoice failed', {
    tenant: send.tenant,
    invoice_id: send.invoice_id,
    step: send.step,
    attempts: send.attempts,
    code,
    ...(code === 'internal' ? { error: messageOf(error) } : {}),
  })
  await failStep(
    deps.allTenants,
    send,
    {
      code,
      state: over ? 'failed' : 'pending',
      nextAttemptAt: new Date(now.getTime() + delay),
      newKey: kind === 'spent',
    },
    now,
  )
}
