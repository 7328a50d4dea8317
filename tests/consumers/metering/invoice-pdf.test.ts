import { inflateSync } from 'node:zlib'
import { expect } from 'chai'
import type { CreditPayment } from '../../../consumers/metering/credits/pay-invoice.ts'
import { invoiceBody } from '../../../consumers/metering/invoice.ts'
import { invoiceCsv } from '../../../consumers/metering/invoice-csv.ts'
import { invoicePdf } from '../../../consumers/metering/invoice-pdf.ts'
import type { Charge } from '../../../consumers/metering/rating/plan.ts'
import { SCALE } from '../../../platform/decimal.ts'
import { invoiceOf, monthOfTotals, subscriptionTo } from './rating/month.ts'

const invoice = (charges: number, description = 'Café calls', payments: CreditPayment[] = []) => {
  const plan = {
    name: 'p',
    currency: 'USD',
    charges: Array.from(
      { length: charges },
      (_, n): Charge => ({ id: `c${n}`, model: 'per_unit', meter: 'm', unit_amount: '1.25', description }),
    ),
    taxes: [{ name: 'VAT', percent: '20' }],
  }
  const rated = invoiceOf(monthOfTotals('2026-11', [subscriptionTo('s', 'demo', 'x', plan)], [['m', '', '3']]))
  const live = {
    id: '0192f6a0-0000-8000-8000-000000000003',
    rated,
    billsLate: [],
    subscriptions: [],
    payments,
    records: new Map<string, number>(),
  }
  return invoiceBody(
    'acme',
    '2026-11',
    live,
    { status: 'issued', number: 'ATOM-000007' },
    new Date('2026-12-01T01:00:00Z'),
  )
}

/** The texts of a PDF of ours: its streams unpacked, the hexadecimal strings of the built-in fonts read. */
function textOf(pdf: Buffer): string[] {
  const bytes = pdf.toString('latin1')
  return [...bytes.matchAll(/stream\n([\s\S]*?)\nendstream/g)].flatMap(([, packed]) => {
    const content = inflateSync(Buffer.from(packed as string, 'latin1')).toString('latin1')
    return [...content.matchAll(/\[((?:<[0-9a-f]*>|[\s\d.-])*)\] TJ/g)].map(([, parts]) =>
      [...(parts as string).matchAll(/<([0-9a-f]*)>/g)]
        .map(([, hex]) => Buffer.from(hex as string, 'hex').toString('latin1'))
        .join(''),
    )
  })
}

describe('consumers/metering/invoice-pdf', () => {
  it('shows every line and sum of the invoice', async () => {
    const shown = textOf(await invoicePdf(invoice(1)))
    for (const text of ['Invoice ATOM-000007', 'Café calls', '3', '1.25', '3.75', '4.50 USD', '0.75 USD'])
      expect(shown.map((one) => one.trim())).to.include(text)
  })

  it('shows what credits paid and what is left, as CSV does', async () => {
    const paid = invoice(1, 'calls', [{ id: 'c', amount: 2n * SCALE, on_account: 0n }])
    expect(paid).to.include({ total: '4.50', credits_applied: '2.00', amount_due: '2.50' })
    const shown = textOf(await invoicePdf(paid)).map((one) => one.trim())
    expect(shown.slice(shown.indexOf('Credits applied'), shown.indexOf('Credits applied') + 4)).to.deep.equal([
      'Credits applied',
      '2.00 USD',
      'Amount due',
      '2.50 USD',
    ])
    const rows = invoiceCsv(paid).trim().split('\r\n')
    expect(rows.slice(-3).map((row) => row.split(',').at(-1))).to.deep.equal(['2.00', '2.00', '2.50'])
    // As invoices were written before they named their credits.
    const { credits: _credits, ...before } = paid
    expect(
      invoiceCsv(before as typeof paid)
        .trim()
        .split('\r\n'),
    ).to.have.length(rows.length - 1)
  })

  it('goes on over pages, each with its number', async () => {
    const pdf = await invoicePdf(invoice(90))
    const shown = textOf(pdf)
    expect(shown.filter((text) => text.trim() === 'Café calls').length).to.equal(90)
    expect(shown.filter((text) => /page \d of 3/.test(text)).length).to.equal(3)
    expect(shown.filter((text) => text.trim() === 'Description').length).to.equal(3)
    expect(pdf.toString('latin1').match(/\/Type \/Page\n/g)?.length).to.equal(3)
  })

  it('is the same bytes for the same invoice', async () => {
    expect((await invoicePdf(invoice(5))).equals(await invoicePdf(invoice(5)))).to.equal(true)
  })

  it('shows a question mark for what its font lacks', async () => {
    expect(textOf(await invoicePdf(invoice(1, '請求 ✓')))).to.include('?? ?')
  })
})
