import { expect } from 'chai'
import { readPackages, readRevenue, readUsage } from '../../../portal/web/answers.ts'
import { loaded } from './canned-answers.ts'

describe('portal answers', () => {
  it('puts the months of revenue in order', () => {
    const { months } = readRevenue(loaded.revenue.body)
    expect(months.map((month) => month.month)).to.deep.equal([
      '2026-06',
      '2026-07',
      '2026-08',
      '2026-09',
      '2026-10',
      '2026-11',
    ])
  })

  it('reads an absent and a null field alike', () => {
    const row = { tenant: 'demo', meter: 'runs', period: '2026-11', quantity: '1' }
    const head = { as_of: '2026-11-23T14:03:07Z', lag_seconds: 0 }
    const [absent, nulled] = readUsage({
      ...head,
      rows: [row, { ...row, package: null, amount: null, currency: null }],
    }).rows
    expect(absent).to.deep.equal(nulled)
    expect(absent?.amount).to.equal(null)
  })

  it('names the place of a value that is not as agreed', () => {
    const body = structuredClone(loaded.usage.body) as { rows: { quantity: unknown }[] }
    const row = body.rows[2]
    if (row) row.quantity = 86400.25
    expect(() => readUsage(body)).to.throw('/rows/2/quantity is not a text')
    expect(() => readPackages({ as_of: 'soon', lag_seconds: 1, packages: [] })).to.throw('/as_of is not a time')
    expect(() => readRevenue([])).to.throw('the answer is not an object')
  })

  it('refuses numbers written with an exponent', () => {
    const month = { month: '2026-11', gross: '1e3', partner_share: '0', platform_fee: '0', tax: '0', invoices: 1 }
    const body = { as_of: '2026-11-23T14:03:07Z', lag_seconds: 0, currency: 'EUR', months: [month] }
    expect(() => readRevenue(body)).to.throw('/months/0/gross is not a decimal text')
  })
})
