import { expect } from 'chai'
import { openBilling, type Problem, perUnit } from '../fixture.ts'

export type Credit = {
  id: string
  tenant: string
  kind: string
  source: string
  amount: string
  remaining: string
  used: string
  expired: string
  voided: string
  on_account: string
  priority: number
  package?: string
  movements: { kind: string; amount: string; invoice_id?: string; deduction_id?: string; posting_id: string }[]
}
export type Deducted = { id: string; left: string; credits: { id: string; amount: string }[] }
const taxed = perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] })

/** Billing with two tenants, and the calls of prepaid credits as finance makes them. */
export async function openCredits() {
  const billing = await openBilling('2026-10-20T10:00:00Z')
  await billing.sell('restart-workers', taxed, ['acme', 'globex'])
  let reports = 0
  const use = async (quantity: string, meter = 'runs') => {
    reports += 1
    const record = { id: `use-${reports}`, meter, quantity, time: '2026-10-20T09:00:00Z', package: 'restart-workers' }
    await billing.report([record])
    await billing.counted()
  }
  const tryGrant = (more: object = {}, as = billing.tokens.finance) =>
    billing.call<Credit & Problem>('POST', '/billing/credits', {
      as,
      json: { tenant: 'acme', amount: '10', kind: 'paid', reference: 'order-1', ...more },
    })
  async function grant(more: object = {}): Promise<Credit> {
    const { status, body } = await tryGrant(more)
    expect(status, JSON.stringify(body)).to.equal(201)
    return body
  }
  const see = async (id: string, as = billing.tokens.finance) =>
    (await billing.call<Credit>('GET', `/billing/credits/${id}`, { as })).body
  const deduct = (id: string, amount: string, more: object = {}, as = billing.tokens.finance) =>
    billing.call<Deducted & Problem>('POST', '/billing/credits/deductions', {
      as,
      json: { tenant: 'acme', id, amount, ...more },
    })
  const end = (id: string, reason = 'ordered twice') =>
    billing.call<Credit & Problem>('POST', `/billing/credits/${id}/void`, {
      as: billing.tokens.finance,
      json: { reason },
    })
  const issueOctober = async () => {
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.issueDue()
    return billing.invoice('acme', '2026-10')
  }
  /** What each account has, without those at zero, and whether the wallet in the books is the one in the table. */
  async function books(): Promise<Record<string, string>> {
    const found = await billing.owner<{ account: string; sum: string }>(
      "select account, sum(amount)::numeric(40,2)::text as sum from metering.ledger where tenant = 'acme' group by account order by account",
    )
    const [left] = await billing.owner<{ sum: string }>(
      "select coalesce(-sum(remaining), 0)::numeric(40,2)::text as sum from metering.credits where tenant = 'acme'",
    )
    const of = Object.fromEntries(found.filter(({ sum }) => sum !== '0.00').map(({ account, sum }) => [account, sum]))
    expect(of.prepaid_credits ?? '0.00').to.equal(left?.sum.replace('-0.00', '0.00'))
    return of
  }

  return { billing, use, tryGrant, grant, see, deduct, end, issueOctober, books, close: () => billing.close() }
}
export type Credits = Awaited<ReturnType<typeof openCredits>>
