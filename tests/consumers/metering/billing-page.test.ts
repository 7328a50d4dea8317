import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { creditTexts, paymentsOf } from '../../../consumers/metering/credits/pay-invoice.ts'
import type { Credit } from '../../../consumers/metering/credits/wallet.ts'
import { type PreviewBody, readPreview } from '../../../consumers/metering/preview-body.ts'
import type { RoundingLevel } from '../../../consumers/metering/rating/plan.ts'
import { rehearse } from '../../../consumers/metering/rating/rehearse.ts'
import { decimal } from '../../../platform/decimal.ts'
import { invoiceOf, monthOf, subscriptionTo } from './rating/month.ts'

const page = readFileSync(new URL('../../../docs/billing.md', import.meta.url), 'utf8')
const fences = [...page.matchAll(/```json (\w+)(?: (\w+))?\n([\s\S]*?)```/g)].map(([, kind, level, text]) => ({
  kind: kind as string,
  level: level as RoundingLevel | undefined,
  body: JSON.parse(text as string) as object,
}))

type ShownCredit = { id: string; left: string; on_account?: string; priority: number; applies_to?: string[] }
const creditOf = ({ left, on_account = '0', ...one }: ShownCredit): Credit => ({
  ...one,
  left: decimal(left),
  on_account: decimal(on_account),
  kind: 'paid',
  partner: null,
  expires_at: null,
})

const previewed = (body: object, rounding: RoundingLevel | undefined) => {
  const { read, faults } = readPreview(body as PreviewBody)
  expect(faults).to.deep.equal([])
  const { versions, starts_at, ends_at, records, period, runs } = read
  const subscription = { id: 'preview', partner: 'demo', package: 'preview', starts_at, ends_at, versions }
  const now = new Date('2026-12-02T00:00:00Z')
  return { read, answer: rehearse({ subscription, records, period, runs, now, ...(rounding ? { rounding } : {}) }) }
}

/** The answer, cut down to the members that the page shows. */
const shown = (answer: unknown, like: unknown): unknown => {
  if (Array.isArray(like)) return (answer as unknown[]).map((one, n) => shown(one, like[n] ?? {}))
  if (typeof like !== 'object' || like === null) return answer
  const own = answer as Record<string, unknown>
  return Object.fromEntries(Object.entries(like).map(([name, value]) => [name, shown(own[name], value)]))
}

describe('docs/billing.md', () => {
  let preview: object = {}
  for (const [n, { kind, level, body }] of fences.entries()) {
    if (kind === 'preview') preview = body
    const request = preview
    if (kind === 'answer')
      it(`shows what rating answers (block ${n})`, () => {
        expect(shown(previewed(request, level).answer, body)).to.deep.equal(body)
      })
    if (kind === 'wallet')
      it(`shows what credits pay (block ${n})`, () => {
        const { read } = previewed(request, undefined)
        const plan = (request as { plan: Parameters<typeof subscriptionTo>[3] }).plan
        const invoice = invoiceOf(monthOf('2026-10', [subscriptionTo('s', 'demo', 'x', plan)], read.records))
        const { credits, answer } = body as { credits: ShownCredit[]; answer: object }
        const paid = paymentsOf(invoice, credits.map(creditOf), new Date('2026-11-01T01:00:00Z'))
        expect(creditTexts(invoice, paid)).to.deep.equal(answer)
      })
    if (kind === 'ledger')
      it(`shows how the total is shared (block ${n})`, () => {
        const { read } = previewed(request, undefined)
        const plan = (request as { plan: Parameters<typeof subscriptionTo>[3] }).plan
        const month = monthOf('2026-10', [subscriptionTo('s', 'demo', 'x', plan)], read.records)
        const { total, shares } = invoiceOf(month)
        const [share] = shares
        expect(body).to.deep.equal({
          tenant_receivable: total,
          partner_payable: `-${share?.partner_share}`,
          platform_fee: `-${share?.platform_fee}`,
          tax_payable: `-${share?.tax}`,
        })
      })
  }
  it('has examples of every kind', () => {
    const kinds = ['preview', 'answer', 'ledger', 'wallet']
    expect(new Set(fences.map(({ kind }) => kind))).to.deep.equal(new Set(kinds))
  })
})
