import { expect } from 'chai'
import { type Billing, type Invoice, type Problem, perUnit } from '../fixture.ts'
import { type Life, type Listed, openLife } from './fixture.ts'

describe('consumers/metering/life: what finance does to invoices', () => {
  let life: Life
  let billing: Billing
  beforeEach(async () => {
    life = await openLife()
    billing = life.billing
  })
  afterEach(() => billing.close())
  const report: Life['report'] = (...all) => life.report(...all)
  const listed: Life['listed'] = (...all) => life.listed(...all)
  const issueBoth = () => life.issueBoth()
  const balances = () => life.balances()
  const act = <B = Listed & Problem>(id: string, what: string, json?: unknown, as = billing.tokens.finance) =>
    life.act<B>(id, what, json, as)

  it('are listed with their state, due date and actions, and by them', async () => {
    const { id, due_at } = await issueBoth()
    expect(due_at).to.equal('2026-12-01T01:00:00.000Z')
    await report('later', '1')
    expect((await listed('state=issued')).map(({ tenant }) => tenant)).to.deep.equal(['globex', 'acme'])
    expect((await listed('state=issued&limit=1&tenant=acme')).map((one) => one.id)).to.deep.equal([id])
    expect(await listed('state=overdue')).to.deep.equal([])
    billing.clock.set('2026-12-02T00:00:00Z')
    expect((await listed('state=overdue&period=2026-10')).map(({ tenant }) => tenant)).to.deep.equal(['globex', 'acme'])
    expect(
      (await billing.call<Problem>('GET', '/billing/invoices?state=lost', { as: billing.tokens.finance })).status,
    ).to.equal(400)
    const [own, ...others] = await listed('', billing.tokens.acme)
    expect([own?.tenant, own?.actions, own?.state_reason, others.length]).to.deep.equal([
      'acme',
      undefined,
      undefined,
      1,
    ])
  })

  it('says of an open one whether it gathers or is a draft', async () => {
    await report('a', '20')
    const state = async () => ((await billing.invoice('acme', '2026-10')) as Invoice & { state: string }).state
    expect(await state()).to.equal('gathering')
    billing.clock.set('2026-11-01T00:30:00Z')
    expect(await state()).to.equal('draft')
  })

  it('pages through a state without losing or repeating one', async () => {
    await issueBoth()
    type Page = { invoices: Listed[]; next: string | null }
    const first = await billing.call<Page>('GET', '/billing/invoices?state=issued&limit=1', {
      as: billing.tokens.finance,
    })
    const path = `/billing/invoices?state=issued&limit=1&cursor=${first.body.next}`
    const second = await billing.call<Page>('GET', path, { as: billing.tokens.finance })
    expect([...first.body.invoices, ...second.body.invoices].map(({ tenant }) => tenant)).to.deep.equal([
      'globex',
      'acme',
    ])
    expect(second.body.next).to.equal(null)
  })

  describe('approval', () => {
    beforeEach(async () => {
      await billing.owner(`update metering.plans set body = body || '{"approval": "manual"}'`)
      await report('a', '20')
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
    })

    it('holds an invoice whose plan asks for it, and lets it go once given, once', async () => {
      const [waiting] = await listed('state=awaiting_approval')
      expect(waiting?.actions).to.deep.equal(['approve'])
      expect(await billing.issue('2026-10')).to.deep.equal([])
      expect((await listed('', billing.tokens.acme))[0]?.state, 'to the tenant').to.equal('draft')
      const both = await Promise.all([act(waiting?.id ?? '', 'approve'), act(waiting?.id ?? '', 'approve')])
      expect(both.map(({ status, body }) => [status, body.state])).to.deep.equal([
        [200, 'issued'],
        [200, 'issued'],
      ])
      expect(await billing.owner('select number from metering.invoices')).to.deep.equal([{ number: 'ATOM-000001' }])
    })

    it('is for finance, and only of what waits for it', async () => {
      const [waiting] = await listed('state=awaiting_approval')
      expect((await act(waiting?.id ?? '', 'approve', undefined, billing.tokens.acme)).status).to.equal(403)
      expect((await act('0192f6a0-0000-7000-8000-000000000000', 'approve')).status).to.equal(404)
      const early = await act(waiting?.id ?? '', 'void', { reason: 'no' })
      expect([early.status, early.body.code]).to.deep.equal([409, 'invoice_action_refused'])
    })
  })

  it('parks what does not pass a check, alone, and issues it once that is mended', async () => {
    await billing.sell(
      'other',
      perUnit('1', { charges: [{ id: 'w', model: 'per_unit', meter: 'walks', unit_amount: '1' }] }),
    )
    await report('a', '20')
    await report('g', '40', billing.tokens.globex)
    await billing.owner(
      `update metering.plans set body = body || '{"currency": "EUR"}' where body -> 'charges' -> 0 ->> 'id' = 'w'`,
    )
    billing.clock.set('2026-11-01T01:00:00Z')
    expect(await billing.issueDue()).to.deep.equal(['ATOM-000001'])
    const [parked] = await listed('state=parked')
    expect([parked?.tenant, parked?.state_reason?.split(':')[0], parked?.actions]).to.deep.equal([
      'acme',
      'currency_mixed',
      ['retry'],
    ])
    expect((await act(parked?.id ?? '', 'retry')).body.state).to.equal('parked')
    await billing.owner(`update metering.plans set body = body || '{"currency": "USD"}'`)
    expect(await billing.issueDue(), 'it waits for a person').to.deep.equal([])
    expect((await act(parked?.id ?? '', 'retry')).body.state).to.equal('issued')
    expect((await act(parked?.id ?? '', 'retry')).status).to.equal(409)
  })

  it('tries a failed issue again later and by hand, and the others are issued meanwhile', async () => {
    await report('a', '20')
    await report('g', '40', billing.tokens.globex)
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.owner("alter table metering.ledger add constraint closed check (tenant <> 'acme')")
    expect(await billing.issueDue()).to.deep.equal(['ATOM-000001'])
    const [failed] = await listed('state=issue_failed')
    expect([failed?.tenant, failed?.state_reason]).to.deep.equal(['acme', 'database_23514'])
    const attempts = async () =>
      (
        await billing.owner<{ n: number }>(
          'select issue_attempts as n from metering.invoice_life where issue_error is not null',
        )
      )[0]?.n
    await billing.issueDue()
    expect(await attempts(), 'not before it is due').to.equal(1)
    expect((await act(failed?.id ?? '', 'retry')).body.state).to.equal('issue_failed')
    expect(await attempts()).to.equal(2)
    await billing.owner('alter table metering.ledger drop constraint closed')
    billing.clock.set('2026-11-01T02:30:00Z')
    expect(await billing.issueDue()).to.deep.equal(['ATOM-000002'])
    expect(await listed('state=issue_failed')).to.deep.equal([])
  })

  describe('a payment by hand', () => {
    const transfer = (amount: string, reference = 'bank 1') => ({ amount, paid_at: '2026-11-01T00:59:00Z', reference })

    it('counts once by its reference, and pays when the sum is reached', async () => {
      const { id } = await issueBoth()
      const part = await Promise.all([act(id, 'payments', transfer('5.00')), act(id, 'payments', transfer('5.00'))])
      expect(part.map(({ status }) => status).sort()).to.deep.equal([200, 201])
      expect((await listed('tenant=acme'))[0]).to.include({ state: 'issued', paid: '5.00' })
      const other = await act(id, 'payments', transfer('6.00'))
      expect([other.status, other.body.code]).to.deep.equal([409, 'reference_taken'])
      const more = await act(id, 'payments', transfer('7.01', 'bank 2'))
      expect([more.status, more.body.code]).to.deep.equal([409, 'payment_exceeds_open'])
      await act(id, 'payments', transfer('7', 'bank 2'))
      expect((await listed('tenant=acme'))[0]).to.include({ state: 'paid', paid: '12.00' })
      expect(await balances()).to.include({ cash: '12.00', tenant_receivable: '24.00' })
      const told = await billing.owner(
        "select 1 from platform.event_log where headers->>'ce_type' = 'payment.succeeded'",
      )
      expect(told).to.have.length(1)
    })

    it('is refused with the place of what is wrong with it', async () => {
      const { id } = await issueBoth()
      for (const [json, pointer] of [
        [transfer('1.005'), '/amount'],
        [transfer('-1'), '/amount'],
        [{ ...transfer('1'), paid_at: '2026-11-09T00:00:00Z' }, '/paid_at'],
        [transfer('1', ''), '/reference'],
      ] as const) {
        const { status, body } = await act(id, 'payments', json)
        expect([status, body.errors[0]?.pointer], JSON.stringify(json)).to.deep.equal([400, pointer])
      }
      expect((await act(id, 'payments', transfer('1'), billing.tokens.acme)).status).to.equal(403)
    })
  })

  it('writes off what is owed; what comes after all makes good for the loss', async () => {
    const { id } = await issueBoth()
    for (let times = 0; times < 2; times++)
      expect((await act(id, 'uncollectible', { reason: 'insolvent' })).body).to.include({
        state: 'uncollectible',
        state_reason: 'insolvent',
      })
    expect(await balances()).to.include({ bad_debt: '12.00', tenant_receivable: '24.00' })
    await act(id, 'payments', { amount: '12', paid_at: '2026-11-01T00:59:00Z', reference: 'late' })
    expect(await balances()).to.include({ bad_debt: '0.00', cash: '12.00', tenant_receivable: '24.00' })
    expect((await listed('tenant=acme'))[0]?.state).to.equal('paid')
  })
})
