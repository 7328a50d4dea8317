import { type Static, Type } from '@sinclair/typebox'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { faultsOf } from '../../../platform/http/validate.ts'
import type { BilledLine } from './billed-elsewhere.ts'
import { type DraftInvoice, GatewayError, type InvoiceItem } from './gateway.ts'
import { stripeAmounts } from './stripe-amounts.ts'

/** What sending reads of an issued invoice's bytes; what else they carry is not its business. */
const IssuedInvoice = Type.Object({
  id: Type.String(),
  number: Type.String(),
  tenant: Type.String(),
  period: Type.String(),
  currency: Type.String(),
  lines: Type.Array(
    Type.Object({
      id: Type.String(),
      description: Type.String(),
      amount: Type.String(),
      package: Type.Optional(Type.String()),
      meter: Type.Optional(Type.String()),
      period: Type.String(),
    }),
  ),
  taxes: Type.Array(Type.Object({ name: Type.String(), percent: Type.String(), amount: Type.String() })),
  credits_applied: Type.String(),
  amount_due: Type.String(),
})
type IssuedInvoice = Static<typeof IssuedInvoice>
type Part = { ref: string; description: string; amount: string }

export type InvoiceToSend = {
  draft: Omit<DraftInvoice, 'customer'>
  items: InvoiceItem[]
  /** What the provider's smallest amount adds to the amount due, as decimal text. */
  rounding: string
  lines: BilledLine[]
  /** Whether prepaid credits paid some of it. */
  prepaid: boolean
}

/** Stripe takes 250 lines on an invoice and 500 characters of description. */
const MOST_ITEMS = 250
const LONGEST_DESCRIPTION = 500

/**
 * What to send for an issued invoice, from its stored bytes alone: whenever it is asked it says the same, as a repeated
 * call under one key must. Throws a permanent `GatewayError` where the parts are not the amount due.
 */
export function invoiceToSend(bytes: Buffer, daysUntilDue: number): InvoiceToSend {
  const invoice = readInvoice(bytes)
  const { id, number, tenant, period, currency } = invoice
  const parts = foldedTo(MOST_ITEMS, partsOf(invoice))
  if (sumOf(parts) !== decimal(invoice.amount_due)) throw new GatewayError('permanent', 'invoice_does_not_add_up')
  const { units, rounding } = stripeAmounts(
    parts.map(({ amount }) => amount),
    currency,
  )
  return {
    draft: { tenant, invoice_id: id, number, period, currency, daysUntilDue },
    items: parts.map(({ ref, description }, index) => ({
      ref,
      description: description.slice(0, LONGEST_DESCRIPTION),
      amount: units[index] as bigint,
      currency,
    })),
    rounding,
    lines: invoice.lines,
    prepaid: decimal(invoice.credits_applied) > 0n,
  }
}

function readInvoice(bytes: Buffer): IssuedInvoice {
  const value: unknown = JSON.parse(bytes.toString('utf8'))
  if (faultsOf(IssuedInvoice, value).length > 0) throw new GatewayError('permanent', 'invoice_unreadable')
  return value as IssuedInvoice
}

function partsOf({ lines, taxes, credits_applied }: IssuedInvoice): Part[] {
  return [
    ...lines.map(({ id, description, amount }) => ({ ref: id, description, amount })),
    ...taxes.map(({ name, percent, amount }, index) => ({
      ref: `tax-${index}`,
      description: `${name} ${percent} %`,
      amount,
    })),
    ...(decimal(credits_applied) === 0n
      ? []
      : [{ ref: 'credits', description: 'Credits applied', amount: formatDecimal(-decimal(credits_applied)) }]),
  ]
}

/** At most `most` parts with the same sum: what is too many becomes one part that says so. */
function foldedTo(most: number, parts: readonly Part[]): Part[] {
  if (parts.length <= most) return [...parts]
  const rest = parts.slice(most - 1)
  const description = `${rest.length} further lines, listed on the invoice`
  return [...parts.slice(0, most - 1), { ref: 'further', description, amount: formatDecimal(sumOf(rest)) }]
}

const sumOf = (parts: readonly Part[]): Decimal => parts.reduce((sum, { amount }) => sum + decimal(amount), 0n)
