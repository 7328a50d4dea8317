import { expect } from 'chai'
import type { PaymentGateway } from '../../../../consumers/metering/payments/gateway.ts'

let runs = 0

/** The calls that sending makes, against the fake with Stripe's rules and against Stripe's own mock of its requests. */
export function gatewayContract(open: () => PaymentGateway): void {
  let name = ''
  beforeEach(() => {
    runs += 1
    name = `contract-${process.pid}-${runs}`
  })
  const attempt = (step: string, look = false) => ({ key: `${name}/${step}`, look })
  const draft = (customer: string, daysUntilDue = 30) => ({
    tenant: name,
    customer,
    invoice_id: `${name}-invoice`,
    number: `ATOM-${name}`,
    period: '2026-10',
    currency: 'USD',
    daysUntilDue,
  })
  const item = { ref: 'line-1', description: 'restart-workers: runs', amount: 150n, currency: 'USD' }

  for (const daysUntilDue of [0, 30])
    it(`takes an invoice from the customer to its final form, due in ${daysUntilDue} days`, async () => {
      const gateway = open()
      const customer = await gateway.ensureCustomer({ tenant: name }, attempt('customer'))
      expect(customer).to.match(/^cus_/)
      const invoice = await gateway.ensureInvoice(draft(customer, daysUntilDue), attempt('invoice'))
      expect(invoice).to.match(/^in_/)
      await gateway.addItem(invoice, customer, item, `${name}/item`)
      expect(await gateway.itemsOf(invoice)).to.be.instanceOf(Set)
      await gateway.finalizeInvoice(invoice, `${name}/finalize`)
    })

  it('looks for what an earlier attempt made', async () => {
    const gateway = open()
    const customer = await gateway.ensureCustomer({ tenant: name }, attempt('customer', true))
    expect(await gateway.ensureInvoice(draft(customer), attempt('invoice', true))).to.match(/^in_/)
  })

  it('voids an invoice, and takes an amount off one', async () => {
    const gateway = open()
    const customer = await gateway.ensureCustomer({ tenant: name }, attempt('customer'))
    const invoice = await gateway.ensureInvoice(draft(customer), attempt('invoice'))
    await gateway.addItem(invoice, customer, item, `${name}/item`)
    await gateway.finalizeInvoice(invoice, `${name}/finalize`)
    expect(await gateway.creditNote({ invoice, amount: 50n, ref: 'note' }, attempt('note', true))).to.match(/^cn_/)
    await gateway.voidInvoice(invoice, `${name}/void`)
  })

  it('tells of a part that was paid by other means, also when it looks for it first', async () => {
    const gateway = open()
    const customer = await gateway.ensureCustomer({ tenant: name }, attempt('customer'))
    const invoice = await gateway.ensureInvoice(draft(customer), attempt('invoice'))
    await gateway.addItem(invoice, customer, item, `${name}/item`)
    await gateway.finalizeInvoice(invoice, `${name}/finalize`)
    const at = new Date('2026-11-03T10:00:00Z')
    const part = { invoice, ref: name, amount: 50n, currency: 'USD', paidAt: at, since: at }
    for (const look of [false, true]) await gateway.payPart(part, attempt('part', look))
  })

  it('marks an invoice as paid by other means, also twice', async () => {
    const gateway = open()
    const customer = await gateway.ensureCustomer({ tenant: name }, attempt('customer'))
    const invoice = await gateway.ensureInvoice(draft(customer), attempt('invoice'))
    await gateway.addItem(invoice, customer, item, `${name}/item`)
    await gateway.finalizeInvoice(invoice, `${name}/finalize`)
    for (const key of ['paid', 'again']) await gateway.markPaid(invoice, `${name}/${key}`)
  })

  it('reports usage of a meter with its identifier', async () => {
    const gateway = open()
    const customer = await gateway.ensureCustomer({ tenant: name }, attempt('customer'))
    const event = { name: 'runs', customer, value: '12', at: new Date(), identifier: `${name}-usage` }
    expect(await gateway.sendMeterEvent(event, `${name}/usage`)).to.equal('accepted')
  })
}
