import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { creditTexts, paymentsOf } from '../../../consumers/metering/credits/pay-invoice.ts'
import type { Credit } from '../../../consumers/metering/credits/wallet.ts'
import { creditOf } from '../../../consumers/metering/life/credit-amounts.ts'
import { INVOICE_STATES } from '../../../consumers/metering/life/invoice-state.ts'
import { type PreviewBody, readPreview } from '../../../consumers/metering/preview-body.ts'
import type { RoundingLevel } from '../../../consumers/metering/rating/plan.ts'
import { rehearse } from '../../../consumers/metering/rating/rehearse.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { invoiceOf, monthOf, subscriptionTo } from './rating/month.ts'

const page = readFileSync(new URL('../../../docs/billing.md', import.meta.url), 'utf8')
const fences = [...page.matchAll(/```json (\w+)(?: (\w+))?\n([\s\S]*?)```/g)].map(([, kind, level, text]) => ({
  kind: kind as string,
  level,
  body: JSON.parse(text as string) as object,
}))

type ShownCredit = { id: string; left: string; on_account?: string; priority: number; applies_to?: string[] }
const walletOf = ({ left, on_account = '0', ...one }: ShownCredit): Credit => ({
  ...one,
  left: decimal(left),
  on_account: decimal(on_account),
  kind: 'paid',
  partner: null,
  expires_at: null,
})

const previewed = (body: object, level: string | undefined) => {
  const { read, faults } = readPreview(body as PreviewBody)
  expect(faults).to.deep.equal([])
  const { versions, starts_at, ends_at, records, period, runs } = read
  const subscription = { id: 'preview', partner: 'demo', package: 'preview', starts_at, ends_at, versions }
  const now = new Date('2026-12-02T00:00:00Z')
  const rounding = level as RoundingLevel | undefined
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
        const paid = paymentsOf(invoice, credits.map(walletOf), new Date('2026-11-01T01:00:00Z'))
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
  it('shows what a credit note and the void after it take back of the ledger before them', () => {
    const ledger = fences.find(({ kind }) => kind === 'ledger')?.body as Record<string, string>
    const [partner_share, platform_fee, tax] = ['partner_payable', 'platform_fee', 'tax_payable'].map((account) =>
      decimal((ledger[account] ?? '').slice(1)),
    ) as [bigint, bigint, bigint]
    let left = { partner: 'demo', partner_share, platform_fee, tax }
    const shown = fences.filter(({ kind }) => kind === 'credit')
    expect(shown.map(({ level }) => level)).to.deep.equal([undefined, 'rest'])
    for (const { level, body } of shown) {
      const taxes = [{ partner: 'demo', name: 'VAT', percent: '20', amount: left.tax }]
      const wanted = level === 'rest' ? { all: true as const } : { amount: decimal('10') }
      const credit = creditOf({ sides: [left], lines: [], taxes }, wanted, 2)
      if ('code' in credit) throw new Error(credit.detail)
      const [side = left] = credit.sides
      const text = (amount: bigint) => formatDecimal(amount, 2)
      expect(body).to.deep.equal({
        tenant_receivable: text(-credit.total),
        partner_payable: text(side.partner_share),
        platform_fee: text(side.platform_fee),
        tax_payable: text(side.tax),
      })
      left = {
        partner: 'demo',
        partner_share: left.partner_share - side.partner_share,
        platform_fee: left.platform_fee - side.platform_fee,
        tax: left.tax - side.tax,
      }
    }
  })
  it('names every state an invoice can be in, in order', () => {
    const table = page.slice(page.indexOf('## The life of an invoice'), page.indexOf('The calls are'))
    const named = [...table.matchAll(/^\| `(\w+)` \|[^\n]*\|[^\n]*\|$/gm)].map(([, name]) => name)
    expect(named.slice(1)).to.deep.equal([...INVOICE_STATES])
  })
  it('has examples of all kinds', () => {
    expect(new Set(fences.map(({ kind }) => kind))).to.deep.equal(
      new Set(['preview', 'answer', 'ledger', 'credit', 'wallet']),
    )
  })
})
