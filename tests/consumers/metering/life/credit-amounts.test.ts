import { expect } from 'chai'
import fc from 'fast-check'
import { type Credit, creditOf, type Left, type Side } from '../../../../consumers/metering/life/credit-amounts.ts'
import { type Decimal, decimal, formatDecimal } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

const side = (partner: string, share: string, fee: string, tax: string): Side => ({
  partner,
  partner_share: decimal(share),
  platform_fee: decimal(fee),
  tax: decimal(tax),
})
const line = (id: string, partner: string, amount: string) => ({
  id,
  partner,
  description: id,
  amount: decimal(amount),
})
const vat = (partner: string, amount: string) => ({ partner, name: 'VAT', percent: '20', amount: decimal(amount) })
/** 12.00 of demo and 6.00 of acme, a line of acme taken back by another. */
const left: Left = {
  sides: [side('demo', '8', '2', '2'), side('acme', '4', '1', '1')],
  lines: [line('a', 'demo', '7'), line('b', 'demo', '3'), line('c', 'acme', '9'), line('d', 'acme', '-4')],
  taxes: [vat('demo', '2'), vat('acme', '1')],
}
const given = (result: ReturnType<typeof creditOf>): Credit => {
  if ('code' in result) throw new Error(`${result.code} ${result.pointer}`)
  return result
}
const shown = ({ sides, net, tax, total }: Credit) => ({
  sides: sides.map((one) => [
    one.partner,
    ...[one.partner_share, one.platform_fee, one.tax].map((v) => formatDecimal(v)),
  ]),
  sums: [net, tax, total].map((v) => formatDecimal(v)),
})

describe('consumers/metering/life: what a credit note takes back', () => {
  it('an amount, of all sides in proportion, by largest remainder', () => {
    expect(shown(given(creditOf(left, { amount: decimal('1') }, 2)))).to.deep.equal({
      sides: [
        ['demo', '0.44', '0.11', '0.11'],
        ['acme', '0.22', '0.06', '0.06'],
      ],
      sums: ['0.83', '0.17', '1'],
    })
  })

  it('lines, of their partner alone, with the tax of its part', () => {
    const wanted = { lines: [{ line_id: 'b' }, { line_id: 'a', amount: decimal('0.02') }] }
    expect(shown(given(creditOf(left, wanted, 2)))).to.deep.equal({
      sides: [['demo', '2.42', '0.6', '0.6']],
      sums: ['3.02', '0.6', '3.62'],
    })
  })

  it('everything, whatever its sign', () => {
    const negative: Left = { sides: [side('demo', '-8', '-2', '-2')], lines: [], taxes: [vat('demo', '-2')] }
    expect(shown(given(creditOf(negative, { all: true }, 2))).sums).to.deep.equal(['-10', '-2', '-12'])
  })

  const refused: [what: string, wanted: Parameters<typeof creditOf>[1], code: string, pointer: string][] = [
    ['more than is left', { amount: decimal('18.01') }, 'exceeds', '/amount'],
    ['nothing', { amount: 0n }, 'invalid', '/amount'],
    ['less than a minor unit', { amount: decimal('0.001') }, 'invalid', '/amount'],
    ['a line that is not there', { lines: [{ line_id: 'x' }] }, 'invalid', '/lines/0/line_id'],
    ['a line twice', { lines: [{ line_id: 'a' }, { line_id: 'a' }] }, 'invalid', '/lines/1/line_id'],
    ['more than a line', { lines: [{ line_id: 'a', amount: decimal('7.01') }] }, 'exceeds', '/lines/0/amount'],
    ['what a line gave back itself', { lines: [{ line_id: 'd' }] }, 'exceeds', '/lines/0'],
    ['more of a partner than it got', { lines: [{ line_id: 'c' }] }, 'exceeds', '/lines'],
  ]
  for (const [what, wanted, code, pointer] of refused)
    it(`never ${what}`, () => {
      expect(creditOf(left, wanted, 2)).to.include({ code, pointer })
    })

  it('sums up to the invoice in any number of parts, and takes no side below what it had', async () => {
    const money = (most: number) => fc.integer({ min: 0, max: most }).map((n) => BigInt(n) * 10n ** 10n)
    const sides = fc.array(fc.tuple(money(5_000), money(2_000), money(2_000)), { minLength: 1, maxLength: 4 })
    const parts = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 4_000 }), fc.nat(3)), { maxLength: 12 })
    await holds(
      fc.property(sides, parts, (amounts, wanted) => {
        let rest: Left = {
          sides: amounts.map(([partner_share, platform_fee, tax], n) => ({
            partner: `p${n}`,
            partner_share,
            platform_fee,
            tax,
          })),
          lines: amounts.map(([share, fee], n) => ({
            id: `l${n}`,
            partner: `p${n}`,
            description: '',
            amount: share + fee,
          })),
          taxes: amounts.map(([, , tax], n) => ({ partner: `p${n}`, name: 'VAT', percent: '20', amount: tax })),
        }
        const before = gross(rest)
        let credited = 0n
        const credits = wanted.map(([byLine, cents, n]) => {
          const amount = BigInt(cents) * 10n ** 10n
          return byLine ? { lines: [{ line_id: `l${n % amounts.length}`, amount }] } : { amount }
        })
        for (const one of [...credits, { all: true as const }]) {
          const credit = creditOf(rest, one, 2)
          if ('code' in credit) continue
          if (credit.net + credit.tax !== credit.total) throw new Error('net and tax are not the total')
          if (sum(credit.taxes.map(({ amount }) => amount)) !== credit.tax) throw new Error('taxes are not the tax')
          credited += credit.total
          rest = without(rest, credit)
          for (const { partner_share, platform_fee, tax } of rest.sides)
            if (partner_share < 0n || platform_fee < 0n || tax < 0n) throw new Error('a side fell below zero')
        }
        if (credited !== before || gross(rest) !== 0n) throw new Error('the parts are not the whole')
      }),
      1_000,
    )
  })
})

const sum = (values: readonly Decimal[]): Decimal => values.reduce((a, b) => a + b, 0n)
const gross = ({ sides }: Left) => sum(sides.flatMap((one) => [one.partner_share, one.platform_fee, one.tax]))

function without(left: Left, credit: Credit): Left {
  const taken = (partner: string) => credit.sides.find((one) => one.partner === partner)
  return {
    sides: left.sides.map((one) => ({
      partner: one.partner,
      partner_share: one.partner_share - (taken(one.partner)?.partner_share ?? 0n),
      platform_fee: one.platform_fee - (taken(one.partner)?.platform_fee ?? 0n),
      tax: one.tax - (taken(one.partner)?.tax ?? 0n),
    })),
    lines: left.lines.map((one) => ({
      ...one,
      amount: one.amount - (credit.lines.find(({ line_id }) => line_id === one.id)?.amount ?? 0n),
    })),
    taxes: left.taxes.map((one) => ({
      ...one,
      amount:
        one.amount - sum(credit.taxes.filter(({ partner }) => partner === one.partner).map(({ amount }) => amount)),
    })),
  }
}
