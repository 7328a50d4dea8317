import { expect } from 'chai'
import fc from 'fast-check'
import { invoiceToSend } from '../../../../consumers/metering/payments/invoice-to-send.ts'
import { retryDelayMs } from '../../../../consumers/metering/payments/retry-delay.ts'
import { stripeAmounts } from '../../../../consumers/metering/payments/stripe-amounts.ts'
import { decimal, formatDecimal, SCALE } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

describe('consumers/metering/payments: amounts', () => {
  const cases: [currency: string, amounts: string[], units: bigint[], rounding: string][] = [
    ['USD', ['1.50', '0.30'], [150n, 30n], '0'],
    ['USD', ['10.00', '-2.50'], [1_000n, -250n], '0'],
    ['JPY', ['500', '50'], [500n, 50n], '0'],
    ['KWD', ['5.124'], [5_120n], '-0.004'],
    ['KWD', ['0.004', '0.004', '0.004'], [0n, 10n, 0n], '-0.002'],
    ['BHD', ['1.235'], [1_240n], '0.005'],
    ['ISK', ['5'], [500n], '0'],
    ['UGX', ['5'], [500n], '0'],
    ['MGA', ['1.50'], [2n], '0.5'],
  ]
  for (const [currency, amounts, units, rounding] of cases)
    it(`${amounts.join(' + ')} ${currency} are ${units.join(' + ')} units`, () => {
      expect(stripeAmounts(amounts, currency)).to.deep.equal({ units, rounding })
    })

  it('sum to the amounts and the rounding named, which is less than a step', async () => {
    const places = { USD: 2, JPY: 0, KWD: 3, ISK: 2 } as const
    const step = { USD: '0.01', JPY: '1', KWD: '0.01', ISK: '1' } as const
    const currency = fc.constantFrom('USD', 'JPY', 'KWD', 'ISK')
    const thousandths = fc.array(fc.bigInt(-(10n ** 15n), 10n ** 15n), { maxLength: 20 })
    await holds(
      fc.property(currency, thousandths, (of, values) => {
        const amounts = values.map((value) => formatDecimal((value * SCALE) / 1000n))
        const { units, rounding } = stripeAmounts(amounts, of)
        const sent = (units.reduce((a, b) => a + b, 0n) * SCALE) / 10n ** BigInt(places[of])
        expect(sent).to.equal(amounts.reduce((sum, one) => sum + decimal(one), decimal(rounding)))
        const off = decimal(rounding) < 0n ? -decimal(rounding) : decimal(rounding)
        expect(off * 2n <= decimal(step[of])).to.equal(true)
        if (of === 'KWD') expect(units.every((unit) => unit % 10n === 0n)).to.equal(true)
      }),
    )
  })
})

describe('consumers/metering/payments: what is sent of an invoice', () => {
  const line = (id: string, amount: string) => ({ id, description: `line ${id}`, amount, period: '2026-10' })
  const body = (more: object) =>
    Buffer.from(
      JSON.stringify({
        id: 'i',
        number: 'ATOM-000001',
        tenant: 'acme',
        period: '2026-10',
        currency: 'USD',
        lines: [line('a', '1.50')],
        taxes: [{ name: 'VAT', percent: '20', base: '1.50', amount: '0.30' }],
        credits_applied: '0.00',
        amount_due: '1.80',
        ...more,
      }),
    )
  const sent = (more: object) => invoiceToSend(body(more), 30).items.map(({ ref, amount }) => [ref, amount.toString()])

  it('are its lines, its taxes and what credits took off', () => {
    expect(sent({ credits_applied: '1.00', amount_due: '0.80' })).to.deep.equal([
      ['a', '150'],
      ['tax-0', '30'],
      ['credits', '-100'],
    ])
  })

  it('is nothing when they are not the amount due', () => {
    expect(() => sent({ amount_due: '1.81' })).to.throw('permanent: invoice_does_not_add_up')
    expect(() => sent({ lines: 'none' })).to.throw('permanent: invoice_unreadable')
  })

  it('keeps to 250 lines with the same sum', () => {
    const lines = Array.from({ length: 400 }, (_, n) => line(`l${n}`, '0.01'))
    const items = invoiceToSend(body({ lines, amount_due: '4.30' }), 30).items
    expect(items).to.have.length(250)
    expect(items.reduce((sum, { amount }) => sum + amount, 0n)).to.equal(430n)
    expect(items.at(-1)?.description).to.equal('152 further lines, listed on the invoice')
  })
})

describe('consumers/metering/payments: waiting', () => {
  it('doubles up to an hour, less a random half, and never less than was asked for', () => {
    expect([1, 2, 3, 10, 11, 40].map((n) => retryDelayMs(n, 0))).to.deep.equal([
      5_000, 10_000, 20_000, 2_560_000, 3_600_000, 3_600_000,
    ])
    expect(retryDelayMs(1, 1)).to.equal(2_500)
    expect(retryDelayMs(1, 1, 9_000)).to.equal(9_000)
  })
})
