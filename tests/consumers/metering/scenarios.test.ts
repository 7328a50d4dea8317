import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { currencyDigits } from '../../../consumers/metering/rating/currency.ts'
import type { Charge, Plan } from '../../../consumers/metering/rating/plan.ts'
import { rateCharge } from '../../../consumers/metering/rating/rate-charge.ts'
import { rateInvoice } from '../../../consumers/metering/rating/rate-invoice.ts'
import { allocate, decimal, formatDecimal } from '../../../platform/decimal.ts'

type Scenario = { name: string; pricing: never; usage: never; expected: { cases: Record<string, never> } }
type Tiers = { up_to: string | null; unit: string; flat: string }[]

const folder = process.env.ATOM_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url))
const file = join(folder, 'data', 'billing', 'scenarios.json')

describe('consumers/metering: numeric cases of public billing systems', () => {
  if (!existsSync(file)) {
    it('are not on this machine')
    console.warn(
      `SKIPPED: the numeric billing cases are NOT tested, ${file} is not there (ATOM_SHARED names the folder)`,
    )
    return
  }
  const scenarios = JSON.parse(readFileSync(file, 'utf8')) as Scenario[]
  const scenario = <P, U, E>(name: string) => {
    const found = scenarios.find((one) => one.name === name)
    if (!found) throw new Error(`${file} has no scenario ${name}`)
    return found as unknown as { pricing: P; usage: U; expected: { cases: Record<string, E> } }
  }

  describe('graduated tiers', () => {
    type Case = { case: string; schedule: string; quantity?: string; events?: number }
    type Expected = { amount: string; total_with_tax?: string }
    const { pricing, usage, expected } = scenario<
      { currency: string; schedules: Record<string, Tiers>; tax_percent: Record<string, string> },
      Case[],
      Expected
    >('graduated-with-flat-per-tier-and-tax')
    const chargeOf = (schedule: string): Charge => ({
      id: 'a',
      model: 'graduated',
      meter: 'm',
      tiers: (pricing.schedules[schedule] as Tiers).map(({ up_to, unit, flat }) => ({
        up_to,
        unit_amount: unit,
        flat_amount: flat,
      })),
    })
    for (const { case: name, schedule, quantity, events } of usage)
      it(name, () => {
        const used = quantity ?? String(events)
        const want = expected.cases[name] as Expected
        const digits = currencyDigits(pricing.currency)
        expect(formatDecimal(rateCharge(chargeOf(schedule), decimal(used), digits).amount, digits)).to.equal(
          want.amount,
        )
        if (want.total_with_tax === undefined) return
        const plan: Plan = {
          name: 'p',
          currency: pricing.currency,
          charges: [chargeOf(schedule)],
          taxes: [{ name: 'VAT', percent: pricing.tax_percent[schedule] as string }],
        }
        const subscription = { id: 's', partner: 'demo', package: 'x', plan }
        const month = {
          period: '2026-11',
          subscriptions: [subscription],
          usage: [{ meter: 'm', package: '', quantity: used }],
        }
        expect(rateInvoice('t', month, [], { currency: pricing.currency, partnerSharePercent: '80' }).total).to.equal(
          want.total_with_tax,
        )
      })
  })

  describe('revenue split by largest remainder', () => {
    const { usage, expected } = scenario<
      unknown,
      { case: string; currency: string; amount: string; weights: string[] }[],
      { shares: string[] }
    >('revenue-split-largest-remainder')
    for (const { case: name, currency, amount, weights } of usage)
      it(name, () => {
        const digits = currency.includes('4dp') ? 4 : currencyDigits(currency)
        const shares = allocate(decimal(amount), weights.map(decimal), digits).map((share) =>
          formatDecimal(share, digits),
        )
        expect(shares).to.deep.equal(expected.cases[name]?.shares)
      })
  })

  describe('rounding of each line', () => {
    type Case = {
      case: string
      currency: string
      lines?: string[]
      fixed?: string[]
      usage?: { quantity: string; unit: string }[]
      taxable?: string
      tax_percents?: string[]
    }
    type Expected = { subtotal?: string; taxes?: string[]; total_tax?: string }
    const { usage, expected } = scenario<unknown, Case[], Expected>('line-level-rounding-then-sum')
    for (const one of usage)
      it(one.case, () => {
        const flats = [...(one.lines ?? []), ...(one.fixed ?? []), ...(one.taxable === undefined ? [] : [one.taxable])]
        const charges: Charge[] = [
          ...flats.map((flat_amount, n): Charge => ({ id: `f${n}`, model: 'flat', flat_amount })),
          ...(one.usage ?? []).map(
            ({ unit }, n): Charge => ({ id: `u${n}`, model: 'per_unit', meter: `m${n}`, unit_amount: unit }),
          ),
        ]
        const taxes = (one.tax_percents ?? []).map((percent, n) => ({ name: `tax ${n}`, percent }))
        const month = {
          period: '2026-11',
          subscriptions: [
            { id: 's', partner: 'demo', package: 'x', plan: { name: 'p', currency: one.currency, charges, taxes } },
          ],
          usage: (one.usage ?? []).map(({ quantity }, n) => ({ meter: `m${n}`, package: '', quantity })),
        }
        const invoice = rateInvoice('t', month, [], { currency: one.currency, partnerSharePercent: '80' })
        const want = expected.cases[one.case] as Expected
        if (want.subtotal !== undefined) expect(invoice.subtotal).to.equal(want.subtotal)
        if (want.taxes !== undefined) expect(invoice.taxes.map(({ amount }) => amount)).to.deep.equal(want.taxes)
        if (want.total_tax !== undefined) expect(invoice.tax).to.equal(want.total_tax)
        expect(want, 'something is compared').to.not.deep.equal({})
      })
  })
})
