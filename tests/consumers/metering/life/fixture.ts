import { type Billing, openBilling, type Problem, perUnit } from '../fixture.ts'

export type Listed = {
  id: string
  tenant: string
  state: string
  state_reason?: string | null
  actions?: string[]
  due_at: string | null
  credited: string
  paid: string
}
export type Note = {
  id: string
  number: string
  total: string
  subtotal: string
  tax: string
  lines: { amount: string }[]
}

/** Billing in October, where acme and globex buy runs at 0.50 with 20 % tax. */
export async function openLife() {
  const billing: Billing = await openBilling('2026-10-20T10:00:00Z')
  await billing.sell('restart-workers', perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] }), [
    'acme',
    'globex',
  ])

  async function report(id: string, quantity: string, as = billing.tokens.acme): Promise<void> {
    const time = '2026-10-20T09:00:00Z'
    await billing.report([{ id, meter: 'runs', quantity, time, package: 'restart-workers' }], as)
    await billing.counted()
  }
  const listed = async (query = '', as = billing.tokens.finance) =>
    (await billing.call<{ invoices: Listed[] }>('GET', `/billing/invoices?${query}`, { as })).body.invoices
  return {
    billing,
    report,
    listed,
    /** Issues invoices of acme (12.00 = 10.00 + 2.00 tax) and globex (24.00) for October; acme's is returned. */
    async issueBoth(): Promise<Listed> {
      await report('a', '20')
      await report('g', '40', billing.tokens.globex)
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
      return (await listed()).find(({ tenant }) => tenant === 'acme') as Listed
    },
    act: <B = Listed & Problem>(id: string, what: string, json?: unknown, as = billing.tokens.finance) =>
      billing.call<B>('POST', `/billing/invoices/${id}/${what}`, { as, ...(json === undefined ? {} : { json }) }),
    /** What each account of the ledger comes to. */
    async balances(): Promise<Record<string, string>> {
      const sums = await billing.owner<{ account: string; sum: string }>(
        'select account, sum(amount)::numeric(20,2)::text as sum from metering.ledger group by account order by 1',
      )
      return Object.fromEntries(sums.map(({ account, sum }) => [account, sum]))
    },
  }
}
export type Life = Awaited<ReturnType<typeof openLife>>
