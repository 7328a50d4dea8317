import Stripe from 'stripe'
import {
  type DraftInvoice,
  GatewayError,
  type InvoiceItem,
  type MeterErrors,
  type MeterEvent,
  type MeterNotice,
  type PartPayment,
  type PaymentFact,
  type PaymentGateway,
} from './gateway.ts'

/** Longer than Stripe's own slowest answers; what takes longer is asked for again. */
const TIMEOUT_MS = 20_000
const SIGNATURE_TOLERANCE_SECONDS = 300

/** Names under which our ids travel with what is made there. */
const TENANT = 'atom_tenant'
const INVOICE = 'atom_invoice_id'
const REF = 'atom_ref'

/** The gateway to Stripe, or to what stands in for it at `base`. The one file that knows the library. */
export function openStripe(secretKey: string, base?: string, timeout = TIMEOUT_MS): PaymentGateway {
  // Repeating is ours: it has to outlive the process, and to know what was tried before.
  const stripe = new Stripe(secretKey, {
    maxNetworkRetries: 0,
    timeout,
    telemetry: false,
    ...(base === undefined ? {} : addressOf(base)),
  })

  async function ensureInvoice(of: DraftInvoice, key: string, look: boolean): Promise<string> {
    if (look)
      for await (const one of stripe.invoices.list({ customer: of.customer, limit: 100 }))
        if (one.metadata?.[INVOICE] === of.invoice_id) return one.id
    return (await stripe.invoices.create(draftParameters(of), { idempotencyKey: key })).id
  }

  async function itemsOf(invoice: string): Promise<ReadonlySet<string>> {
    const refs = new Set<string>()
    for await (const item of stripe.invoiceItems.list({ invoice, limit: 100 }))
      if (item.metadata?.[REF] !== undefined) refs.add(item.metadata[REF])
    return refs
  }

  async function creditNote(of: { invoice: string; amount: bigint; ref: string }, key: string, look: boolean) {
    if (look)
      for await (const one of stripe.creditNotes.list({ invoice: of.invoice, limit: 100 }))
        if (one.metadata?.[REF] === of.ref) return one.id
    const { amount_remaining } = await stripe.invoices.retrieve(of.invoice)
    const amount = exactNumber(of.amount)
    const credit = amount > amount_remaining ? { credit_amount: amount - Math.max(0, amount_remaining) } : {}
    const parameters = { invoice: of.invoice, amount, ...credit, metadata: { [REF]: of.ref } }
    return (await stripe.creditNotes.create(parameters, { idempotencyKey: key })).id
  }

  /** A record of money that came by other means, attached to the invoice: two calls, either of which may be the last. */
  async function payPart(of: PartPayment, key: string, look: boolean): Promise<void> {
    if ((await stripe.invoices.retrieve(of.invoice)).status === 'paid') return
    const known = look ? await recordOf(of) : null
    if (known !== null && (await isAttached(of.invoice, known))) return
    const payment_record =
      known ?? (await stripe.paymentRecords.reportPayment(recordParameters(of), { idempotencyKey: key })).id
    await stripe.invoices.attachPayment(of.invoice, { payment_record }, { idempotencyKey: `${key}/${payment_record}` })
  }

  async function recordOf({ ref, since }: PartPayment): Promise<string | null> {
    // A second earlier: times there are whole seconds, and what is created in that of `since` is meant too.
    const created_after = seconds(since) - 1
    for await (const one of stripe.paymentRecords.list({ created_after, limit: 100 }))
      if (one.metadata?.[REF] === ref) return one.id
    return null
  }

  async function isAttached(invoice: string, record: string): Promise<boolean> {
    for await (const { payment } of stripe.invoicePayments.list({ invoice, limit: 100 }))
      if (payment.payment_record === record) return true
    return false
  }

  return {
    mode: /^[sr]k_live_/.test(secretKey) ? 'live' : 'test',
    ensureCustomer: ({ tenant }, { key, look }) =>
      asked(async () => {
        if (look) {
          const found = await stripe.customers.search({ query: `metadata['${TENANT}']:'${tenant}'`, limit: 1 })
          if (found.data[0]) return found.data[0].id
        }
        const parameters = { name: tenant, metadata: { [TENANT]: tenant } }
        return (await stripe.customers.create(parameters, { idempotencyKey: key })).id
      }),
    ensureInvoice: (of, { key, look }) => asked(() => ensureInvoice(of, key, look)),
    itemsOf: (invoice) => asked(() => itemsOf(invoice)),
    addItem: (invoice, customer, item, key) =>
      asked(async () => {
        await stripe.invoiceItems.create(itemParameters(invoice, customer, item), { idempotencyKey: key })
      }),
    finalizeInvoice: (invoice, key) =>
      asked(async () => {
        if ((await stripe.invoices.retrieve(invoice)).status !== 'draft') return
        await stripe.invoices.finalizeInvoice(invoice, { auto_advance: true }, { idempotencyKey: key })
      }),
    voidInvoice: (invoice, key) =>
      asked(async () => {
        if ((await stripe.invoices.retrieve(invoice)).status === 'void') return
        await stripe.invoices.voidInvoice(invoice, {}, { idempotencyKey: key })
      }),
    markPaid: (invoice, key) =>
      asked(async () => {
        if ((await stripe.invoices.retrieve(invoice)).status === 'paid') return
        await stripe.invoices.pay(invoice, { paid_out_of_band: true }, { idempotencyKey: key })
      }),
    payPart: (of, { key, look }) => asked(() => payPart(of, key, look)),
    creditNote: (of, { key, look }) => asked(() => creditNote(of, key, look)),
    sendMeterEvent: (event, key) =>
      asked(async () => {
        try {
          await stripe.billing.meterEvents.create(meterParameters(event), { idempotencyKey: key })
          return 'accepted'
        } catch (error) {
          if (isKnownIdentifier(error)) return 'duplicate'
          throw error
        }
      }),
    meterErrors: (event) => asked(async () => errorsOf(await stripe.v2.core.events.retrieve(event))),
  }
}

/**
 * What a webhook says, or null where it is of no concern here. Any of the secrets may have signed it, so that a new one
 * can be brought in before the old one goes. Throws `GatewayError`: `signature_invalid` where none has signed it, and
 * `event_unreadable`.
 */
export function readStripeWebhook(
  bytes: Uint8Array,
  signature: string,
  secrets: readonly string[],
  now: Date,
): PaymentFact | MeterNotice | null {
  const { signature: signatures } = Stripe.webhooks
  if (!signatures) throw new Error('the library cannot check signatures')
  for (const secret of secrets) {
    try {
      signatures.verifyHeader(
        Buffer.from(bytes),
        signature,
        secret,
        SIGNATURE_TOLERANCE_SECONDS,
        undefined,
        now.getTime(),
      )
      return toldBy(JSON.parse(Buffer.from(bytes).toString('utf8')))
    } catch (error) {
      if (error instanceof Stripe.errors.StripeSignatureVerificationError) continue
      throw new GatewayError('permanent', 'event_unreadable', { cause: error })
    }
  }
  throw new GatewayError('permanent', 'signature_invalid')
}

const METER_NOTICES = ['v1.billing.meter.error_report_triggered', 'v1.billing.meter.no_meter_found']

/** Events of version 2 come as notices that name the event; those of version 1 come whole. */
function toldBy(sent: { object?: unknown; id?: unknown; type?: unknown }): PaymentFact | MeterNotice | null {
  if (sent.object !== 'v2.core.event') return factOf(sent as Stripe.Event)
  const ours = /^[A-Za-z0-9_]{1,128}$/.test(String(sent.id)) && METER_NOTICES.some((type) => type === sent.type)
  return ours ? { id: sent.id as string, about: 'meter' } : null
}

const MOST_SAMPLES = 1_000

function errorsOf(event: Stripe.V2.Core.Event): MeterErrors {
  if (!METER_NOTICES.some((type) => type === event.type)) throw new GatewayError('permanent', 'event_unreadable')
  const { data, related_object } = event as Stripe.Events.V1BillingMeterErrorReportTriggeredEvent
  const codes = data.reason.error_types.map(({ code, error_count, sample_errors }) => ({
    code: String(code)
      .replace(/[^a-z0-9_]/g, '')
      .slice(0, 64),
    errors: error_count,
    identifiers: sample_errors.slice(0, MOST_SAMPLES).map(({ request }) => request.identifier),
  }))
  const [from, to] = [new Date(data.validation_start), new Date(data.validation_end)]
  return { meter: related_object?.id ?? null, from, to, errors: data.reason.error_count, codes }
}

function factOf(event: Stripe.Event): PaymentFact | null {
  const states = {
    'invoice.paid': 'paid',
    'invoice.payment_failed': 'payment_failed',
    'invoice.marked_uncollectible': 'uncollectible',
    'invoice.voided': 'void',
  } as const
  const state = (states as Record<string, PaymentFact['state'] | undefined>)[event.type]
  const { id } = event.data.object as { id?: unknown }
  if (state === undefined || typeof id !== 'string') return null
  return { id: event.id, invoice: id, state, at: new Date(event.created * 1000) }
}

const draftParameters = (of: DraftInvoice): Stripe.InvoiceCreateParams => ({
  customer: of.customer,
  currency: of.currency.toLowerCase(),
  number: of.number,
  description: `${of.number}, usage of ${of.period}`,
  // Held until all its lines are there: Stripe would finalize a draft by itself after an hour.
  auto_advance: false,
  pending_invoice_items_behavior: 'exclude',
  ...(of.daysUntilDue === 0
    ? { collection_method: 'charge_automatically' }
    : { collection_method: 'send_invoice', days_until_due: of.daysUntilDue }),
  metadata: { [INVOICE]: of.invoice_id, [TENANT]: of.tenant },
})

const itemParameters = (invoice: string, customer: string, item: InvoiceItem): Stripe.InvoiceItemCreateParams => ({
  invoice,
  customer,
  amount: exactNumber(item.amount),
  currency: item.currency.toLowerCase(),
  description: item.description,
  metadata: { [REF]: item.ref },
})

const recordParameters = (of: PartPayment): Stripe.PaymentRecordReportPaymentParams => ({
  amount_requested: { currency: of.currency.toLowerCase(), value: exactNumber(of.amount) },
  initiated_at: seconds(of.paidAt),
  outcome: 'guaranteed',
  guaranteed: { guaranteed_at: seconds(of.paidAt) },
  payment_method_details: { type: 'custom', custom: { display_name: 'Bank transfer' } },
  processor_details: { type: 'custom', custom: { payment_reference: of.ref } },
  metadata: { [REF]: of.ref },
})

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000)

const meterParameters = (event: MeterEvent): Stripe.Billing.MeterEventCreateParams => ({
  event_name: event.name,
  identifier: event.identifier,
  timestamp: seconds(event.at),
  payload: { stripe_customer_id: event.customer, value: event.value },
})

/** Answers of the library as the port states them. */
async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw error instanceof Stripe.errors.StripeError ? failureOf(error) : error
  }
}

function failureOf(error: Stripe.errors.StripeError): GatewayError {
  const { statusCode: status, headers = {} } = error
  const code = codeOf(error)
  const seconds = Number(headers['retry-after'])
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
  // Without a status the answer was lost: it may have been done.
  if (status === undefined) return new GatewayError('retry', 'unreachable', { cause: error })
  // Stripe keeps a failure under its key for a day, so this one will never say anything else.
  if (status >= 500 && headers['idempotent-replayed'] === 'true')
    return new GatewayError('spent', code, { cause: error })
  // A refused key is the installation's fault and not this invoice's: it waits until somebody has mended it.
  const refused = [401, 403, 409, 429].includes(status)
  if (refused || status >= 500 || headers['stripe-should-retry'] === 'true')
    return new GatewayError('retry', code, { retryAfterMs, refused, cause: error })
  return new GatewayError('permanent', code, { cause: error })
}

/** `stripe_` with its code or type, and the parameter it names: never its text, which may quote what was sent. */
function codeOf({ code, type, rawType, param }: Stripe.errors.StripeError): string {
  const named = `stripe_${code ?? rawType ?? type}${param ? `:${param}` : ''}`
  return named.replace(/[^A-Za-z0-9_:.[\]-]/g, '').slice(0, 128)
}

/** Stripe has had this code for a while only; before it was told by its text. */
function isKnownIdentifier(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) return false
  return error.code === 'duplicate_meter_event' || /already exists with identifier/i.test(error.message)
}

/** The library takes numbers; one that a double cannot hold would be another amount. */
function exactNumber(amount: bigint): number {
  const number = Number(amount)
  if (!Number.isSafeInteger(number)) throw new GatewayError('permanent', 'amount_too_large')
  return number
}

function addressOf(base: string): { host: string; port: string; protocol: 'http' | 'https' } {
  const { hostname, port, protocol } = new URL(base)
  const secure = protocol === 'https:'
  // The key travels with every call.
  if (!secure && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw new Error('STRIPE_API_BASE must be https, or on this machine')
  return { host: hostname, port: port || (secure ? '443' : '80'), protocol: secure ? 'https' : 'http' }
}
