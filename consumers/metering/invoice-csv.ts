import { csvRow } from '../../platform/http/csv.ts'
import type { invoiceBody } from './invoice.ts'
import { quarantinedText } from './quarantine/quarantined-text.ts'

type Invoice = ReturnType<typeof invoiceBody>
const COLUMNS = ['row', 'id', 'period', 'kind', 'package', 'meter', 'description', 'quantity', 'unit_price', 'amount']

/** An invoice as CSV: a row for each line, then subtotal, each tax, total and amount due, and what is
 * not billed because of its version. The amounts are the JSON's. */
export function invoiceCsv(invoice: Invoice): string {
  const lines = invoice.lines.map((line) => [
    'line',
    line.id,
    line.period,
    line.kind,
    line.package ?? '',
    line.meter ?? '',
    line.description,
    line.quantity ?? '',
    line.unit_price ?? '',
    line.amount,
  ])
  const sum = (row: string, amount: string, description = '', period = invoice.period) => [
    row,
    invoice.number ?? invoice.id,
    period,
    invoice.status,
    '',
    '',
    description,
    '',
    '',
    amount,
  ]
  const taxes = invoice.taxes.map(({ name, percent, amount, period }) =>
    sum('tax', amount, `${name} ${percent} %`, period),
  )
  const totals = [
    sum('subtotal', invoice.subtotal, invoice.currency),
    ...taxes,
    sum('total', invoice.total, invoice.currency),
    ...(invoice.credits ?? []).map(({ id, amount }) => sum('credit', amount, id)),
    sum('credits_applied', invoice.credits_applied, invoice.currency),
    sum('amount_due', invoice.amount_due, invoice.currency),
  ]
  // Invoices from before there were quarantines have none.
  const quarantined = (invoice.quarantined ?? []).map((one) => [
    'quarantined',
    invoice.number ?? invoice.id,
    one.period,
    one.state,
    one.package,
    one.meter,
    quarantinedText(one),
    one.quantity,
    '',
    '',
  ])
  return [COLUMNS, ...lines, ...totals, ...quarantined].map(csvRow).join('')
}
