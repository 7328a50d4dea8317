/**
 * What sending needs of a payment provider, as plain functions. `key` is an idempotency key; with `look` the effect of
 * an earlier attempt is searched for first, because providers forget keys after a day. All throw `GatewayError`.
 */
export type PaymentGateway = {
  /** Whether real money moves: told from the key. */
  mode: 'live' | 'test'
  /** Returns the provider's id of the tenant's customer. */
  ensureCustomer(of: { tenant: string }, attempt: Attempt): Promise<string>
  /** Makes a draft without lines and returns its id. */
  ensureInvoice(of: DraftInvoice, attempt: Attempt): Promise<string>
  /** The `ref` of each item the draft has. */
  itemsOf(invoice: string): Promise<ReadonlySet<string>>
  addItem(invoice: string, customer: string, item: InvoiceItem, key: string): Promise<void>
  /** Freezes the draft and lets the provider collect. An invoice that is final already stays as it is. */
  finalizeInvoice(invoice: string, key: string): Promise<void>
  /** An invoice that is void already stays as it is. */
  voidInvoice(invoice: string, key: string): Promise<void>
  /** An invoice that was paid by other means: nobody is asked for it any more. One that is paid already stays as it is. */
  markPaid(invoice: string, key: string): Promise<void>
  /** A part that was paid by other means: the rest is still asked for. An invoice that is paid already stays as it is. */
  payPart(of: PartPayment, attempt: Attempt): Promise<void>
  /**
   * Takes `amount` (the provider's units) off a final invoice; what is more than is still to be paid of it is put to the
   * customer's credit.
   */
  creditNote(of: { invoice: string; amount: bigint; ref: string }, attempt: Attempt): Promise<string>
  /** `duplicate`: the provider has this identifier already, so the usage was delivered before. */
  sendMeterEvent(event: MeterEvent, key: string): Promise<'accepted' | 'duplicate'>
  /** What a meter found wrong with usage it had taken: the event that a notice names. */
  meterErrors(event: string): Promise<MeterErrors>
}
export type Attempt = { key: string; look: boolean }
export type DraftInvoice = {
  tenant: string
  customer: string
  invoice_id: string
  number: string
  period: string
  /** ISO 4217, upper case. */
  currency: string
  /** 0: collect at once from what the customer has on file; otherwise send it to be paid within so many days. */
  daysUntilDue: number
}
/** `amount` in the provider's smallest units; `since`: nothing of it was told before that. */
export type PartPayment = {
  invoice: string
  ref: string
  amount: bigint
  currency: string
  paidAt: Date
  since: Date
}
/** `amount` in the provider's smallest units; `ref` is unique within the invoice. */
export type InvoiceItem = { ref: string; description: string; amount: bigint; currency: string }
/** Usage of one meter at one time; `identifier` (at most 100 characters) names the fact, however often it is sent. */
export type MeterEvent = { name: string; customer: string; value: string; at: Date; identifier: string }

/** Errors of usage that was taken, over a stretch of time: how many of each code, and identifiers of some. */
export type MeterErrors = {
  /** The provider's id of the meter; null where the usage named none that there is. */
  meter: string | null
  from: Date
  to: Date
  errors: number
  codes: readonly { code: string; errors: number; identifiers: readonly string[] }[]
}

/** That usage was refused after it was taken; the event itself has to be asked for. */
export type MeterNotice = { id: string; about: 'meter' }
/** What a provider said has happened to an invoice of ours. */
export type PaymentFact = {
  id: string
  invoice: string
  state: 'paid' | 'payment_failed' | 'uncollectible' | 'void'
  at: Date
}

/**
 * Why a provider did not do it. `retry`: the same call may succeed later. `spent`: so it may, but not under this key,
 * whose answer the provider repeats. `permanent`: somebody has to change something first.
 */
export class GatewayError extends Error {
  readonly kind: 'retry' | 'spent' | 'permanent'
  readonly code: string
  readonly retryAfterMs: number
  /** Whether the provider said that it did nothing; otherwise it may have done it. */
  readonly refused: boolean

  constructor(
    kind: GatewayError['kind'],
    code: string,
    more: { retryAfterMs?: number; refused?: boolean; cause?: unknown } = {},
  ) {
    super(`${kind}: ${code}`, more.cause === undefined ? {} : { cause: more.cause })
    this.kind = kind
    this.code = code
    this.retryAfterMs = more.retryAfterMs ?? 0
    this.refused = kind === 'permanent' || more.refused === true
  }
}
