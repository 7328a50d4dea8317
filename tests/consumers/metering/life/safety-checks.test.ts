import { expect } from 'chai'
import { type AboutToIssue, MOST_LINES, unsafe } from '../../../../consumers/metering/life/safety-checks.ts'

const line = { id: 'a', period: '2026-10', partner: 'demo', amount: '10.00' }
const share = { partner: 'demo', gross: '12.00', partner_share: '8.00', platform_fee: '2.00', tax: '2.00' }
const sound: AboutToIssue = {
  period: '2026-10',
  currency: 'USD',
  lines: [line],
  subtotal: '10.00',
  taxes: [{ amount: '2.00' }],
  tax: '2.00',
  total: '12.00',
  credits_applied: '0.00',
  amount_due: '12.00',
  shares: [share],
  planCurrencies: ['USD'],
}

describe('consumers/metering/life: checks before an invoice is frozen', () => {
  it('let pass what adds up, of any size and sign, and of earlier months', () => {
    expect(unsafe(sound)).to.equal(null)
    expect(unsafe({ ...sound, lines: [{ ...line, period: '2026-08' }] })).to.equal(null)
    expect(unsafe({ ...sound, credits_applied: '12.00', amount_due: '0.00' })).to.equal(null)
    const back = { ...share, gross: '-12.00', partner_share: '-8.00', platform_fee: '-2.00', tax: '-2.00' }
    const negative = {
      subtotal: '-10.00',
      taxes: [{ amount: '-2.00' }],
      tax: '-2.00',
      total: '-12.00',
      amount_due: '-12.00',
    }
    expect(unsafe({ ...sound, ...negative, lines: [{ ...line, amount: '-10.00' }], shares: [back] })).to.equal(null)
  })

  const cases: [code: string, change: Partial<AboutToIssue>][] = [
    ['currency_mixed', { planCurrencies: ['USD', 'EUR'] }],
    ['too_many_lines', { lines: Array.from({ length: MOST_LINES + 1 }, (_, n) => ({ ...line, id: String(n) })) }],
    ['amount_unreadable', { lines: [{ ...line, amount: '10.000' }] }],
    ['amount_unreadable', { total: 'NaN' }],
    ['line_repeated', { lines: [line, line] }],
    ['line_of_later_month', { lines: [{ ...line, period: '2026-11' }] }],
    ['subtotal_wrong', { lines: [{ ...line, amount: '10.01' }] }],
    ['tax_wrong', { taxes: [{ amount: '1.99' }] }],
    ['total_wrong', { total: '12.01', amount_due: '12.01' }],
    ['amount_due_wrong', { amount_due: '11.99' }],
    ['shares_wrong', { shares: [{ ...share, partner_share: '8.01' }] }],
    ['shares_wrong', { shares: [] }],
    ['line_of_nobody', { lines: [{ ...line, partner: 'acme' }] }],
  ]
  for (const [code, change] of cases)
    it(`park ${code}, and say what to do`, () => {
      const found = unsafe({ ...sound, ...change })
      expect(found?.code).to.equal(code)
      expect(found?.repair).to.contain('retry')
    })
})
