import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import type { InvoiceLine } from '../rating/line.ts'

type Told = { quantity?: string; amount: string }
export type LineStatus = 'equal' | 'changed' | 'only_in_log' | 'only_in_invoice'
export type ComparedLine = Pick<
  InvoiceLine,
  'id' | 'kind' | 'charge' | 'meter' | 'package' | 'dimensions' | 'partner'
> & {
  description: string
  status: LineStatus
  log: Told | null
  invoice: Told | null
  /** What the log says more. */
  difference: string
}
type Totals = { subtotal: string; tax: string; total: string }
export type Compared = {
  lines: ComparedLine[]
  totals: { log: Totals; invoice: Totals; difference: string }
  differing: number
  drift: string
}
/** The lines of a month with their tax, of whatever invoices they are on. */
export type Side = { lines: readonly InvoiceLine[]; tax: Decimal }

/**
 * A month from the log against the same month as it was invoiced, line by line. `counted` is the month rated from what
 * is stored now: invoices book no adjustment where only the quantity of a line moved and its amount did not. Pure.
 */
export function compareLines(log: Side, invoice: Side, counted: readonly InvoiceLine[], digits: number): Compared {
  const invoiced = new Map(invoice.lines.map((line) => [line.id, line]))
  const stored = new Map(counted.map((line) => [line.id, line]))
  const text = (value: Decimal) => formatDecimal(value, digits)
  const found = new Set(log.lines.map(({ id }) => id))
  const pairs: [InvoiceLine | undefined, InvoiceLine | undefined][] = [
    ...log.lines.map((line): [InvoiceLine, InvoiceLine | undefined] => [line, invoiced.get(line.id)]),
    ...invoice.lines.filter(({ id }) => !found.has(id)).map((line): [undefined, InvoiceLine] => [undefined, line]),
  ]
  const lines = pairs.flatMap(([inLog, onInvoice]): ComparedLine[] => {
    const line = (inLog ?? onInvoice) as InvoiceLine
    // A line of nothing is shown or not, as it was when the invoice was rated.
    if ((!inLog || !onInvoice) && isNothing(line)) return []
    const same = inLog && onInvoice && isSame(inLog, onInvoice, stored.get(line.id))
    const both = same ? 'equal' : 'changed'
    const status = !inLog ? 'only_in_invoice' : !onInvoice ? 'only_in_log' : both
    const difference = text(decimal(inLog?.amount ?? '0') - decimal(onInvoice?.amount ?? '0'))
    return [{ ...named(line), status, log: told(inLog), invoice: told(onInvoice), difference }]
  })
  const totals = { log: totalsOf(log, text), invoice: totalsOf(invoice, text) }
  const drift = lines.reduce((sum, one) => sum + size(decimal(one.difference)), size(log.tax - invoice.tax))
  return {
    lines,
    totals: { ...totals, difference: text(decimal(totals.log.total) - decimal(totals.invoice.total)) },
    differing: lines.filter(({ status }) => status !== 'equal').length,
    drift: text(drift),
  }
}

function isSame(log: InvoiceLine, invoice: InvoiceLine, stored: InvoiceLine | undefined): boolean {
  if (decimal(log.amount) !== decimal(invoice.amount)) return false
  const quantity = decimal(log.quantity ?? '0')
  return [invoice, stored].some((line) => line && decimal(line.quantity ?? '0') === quantity)
}

const isNothing = ({ amount, quantity }: InvoiceLine): boolean =>
  decimal(amount) === 0n && decimal(quantity ?? '0') === 0n

function named({ id, kind, charge, meter, package: of, dimensions, partner, description }: InvoiceLine) {
  return {
    id,
    kind,
    ...(charge === undefined ? {} : { charge }),
    ...(meter === undefined ? {} : { meter }),
    ...(of === undefined ? {} : { package: of }),
    ...(dimensions === undefined ? {} : { dimensions }),
    partner,
    description,
  }
}

const told = (line: InvoiceLine | undefined): Told | null =>
  line ? { ...(line.quantity === undefined ? {} : { quantity: line.quantity }), amount: line.amount } : null

function totalsOf({ lines, tax }: Side, text: (value: Decimal) => string): Totals {
  const subtotal = lines.reduce((sum, { amount }) => sum + decimal(amount), 0n)
  return { subtotal: text(subtotal), tax: text(tax), total: text(subtotal + tax) }
}

const size = (value: Decimal): Decimal => (value < 0n ? -value : value)
