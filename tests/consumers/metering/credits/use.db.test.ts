import { expect } from 'chai'
import { type Billing, type Problem, perUnit } from '../fixture.ts'
import { type Credit, type Credits, openCredits } from './fixture.ts'

describe('consumers/metering/credits: use', function () {
  this.timeout(30_000)
  let credits: Credits
  let billing: Billing
  beforeEach(async () => {
    credits = await openCredits()
    billing = credits.billing
  })
  afterEach(() => credits.close())
  const grant: Credits['grant'] = (more) => credits.grant(more)
  const see: Credits['see'] = (id) => credits.see(id)
  const deduct: Credits['deduct'] = (...of) => credits.deduct(...of)
  const books = () => credits.books()
  const use: Credits['use'] = (quantity) => credits.use(quantity)
  const issueOctober = () => credits.issueOctober()

  describe('pay invoices', () => {
    it('tax included, live without being taken, and for good when issued', async () => {
      const { id } = await grant({ amount: '1' })
      await use('3')
      for (let look = 0; look < 2; look++)
        expect(await billing.invoice('acme')).to.deep.include({
          total: '1.80',
          credits: [{ id, amount: '1.00' }],
          credits_applied: '1.00',
          amount_due: '0.80',
        })
      expect((await see(id)).remaining).to.equal('1.00')
      const issued = await issueOctober()
      expect(issued).to.deep.include({ total: '1.80', credits: [{ id, amount: '1.00' }], amount_due: '0.80' })
      const credit = await see(id)
      expect(credit).to.include({ remaining: '0.00', used: '1.00' })
      expect(credit.movements.map(({ kind, amount, invoice_id }) => [kind, amount, invoice_id])).to.deep.equal([
        ['invoice', '1.00', issued.id],
      ])
      expect(await books()).to.deep.include({ cash: '1.00', tenant_receivable: '0.80', partner_payable: '-1.20' })
    })

    it('by priority, then what expires first, then age, and what does not fit stays', async () => {
      const last = await grant({ reference: 'a', amount: '5', priority: 9 })
      const third = await grant({ reference: 'b', amount: '0.30' })
      const second = await grant({ reference: 'c', amount: '0.20', expires_at: '2027-01-01T00:00:00Z' })
      const first = await grant({ reference: 'd', amount: '0.10', expires_at: '2026-12-01T00:00:00Z' })
      await grant({ reference: 'e', amount: '7', applies_to: ['storage'] })
      await use('3')
      const { credits, amount_due } = await issueOctober()
      expect(amount_due).to.equal('0.00')
      expect(credits).to.deep.equal([
        { id: first.id, amount: '0.10' },
        { id: second.id, amount: '0.20' },
        { id: third.id, amount: '0.30' },
        { id: last.id, amount: '1.20' },
      ])
      expect((await see(last.id)).remaining).to.equal('3.80')
    })

    it('show the same amounts as CSV and in the events', async () => {
      const { id } = await grant({ amount: '1' })
      await use('3')
      await issueOctober()
      const csv = await billing.call('GET', '/billing/invoice/acme.csv?period=2026-10', { as: billing.tokens.acme })
      const sums = csv.bytes.toString().trim().split('\r\n').slice(-4)
      expect(sums.map((row) => [row.split(',')[0], row.split(',').at(-1)])).to.deep.equal([
        ['total', '1.80'],
        ['credit', '1.00'],
        ['credits_applied', '1.00'],
        ['amount_due', '0.80'],
      ])
      expect(sums[1]).to.contain(id)
      const [event] = await billing.owner<{ value: Buffer }>(
        "select value from platform.event_log where headers->>'ce_type' = 'invoice.issued'",
      )
      expect(JSON.parse(event?.value.toString() ?? '')).to.include({ credits_applied: '1.00', amount_due: '0.80' })
    })

    it('once, whoever issues or deducts at the same time', async () => {
      await grant({ amount: '1' })
      await use('3')
      billing.clock.set('2026-11-01T01:00:00Z')
      const issuing = Array.from({ length: 4 }, () => billing.issue('2026-10'))
      const deducting = Array.from({ length: 12 }, (_, n) => deduct(`d-${n}`, '0.10'))
      const answers = await Promise.all(deducting)
      await Promise.all(issuing)
      const taken = answers.filter(({ status }) => status === 201).length
      const { total, credits_applied, amount_due } = await billing.invoice('acme', '2026-10')
      expect(total).to.equal('1.80')
      const [{ used, on_account } = { used: '', on_account: '' }] = await billing.owner<
        Record<'used' | 'on_account', string>
      >('select used::numeric(9,2)::text as used, on_account::numeric(9,2)::text as on_account from metering.credits')
      expect(taken).to.be.at.most(10)
      expect(used).to.equal('1.00')
      // What was deducted after the invoice waits for the next one; all else is on this one.
      expect(Number(credits_applied) + Number(on_account)).to.be.closeTo(1, 1e-9)
      expect((await books()).tenant_receivable).to.equal((Number(amount_due) - Number(on_account)).toFixed(2))
    })

    it('not when issuing fails: everything is taken back with it', async () => {
      const { id } = await grant({ amount: '1' })
      await use('3')
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.owner("alter table metering.ledger add constraint closed check (kind <> 'credit_use')")
      expect(await billing.issue('2026-10')).to.deep.equal([])
      expect(await see(id)).to.deep.include({ remaining: '1.00', movements: [] })
      await billing.owner('alter table metering.ledger drop constraint closed')
      expect(await billing.issue('2026-10')).to.deep.equal(['ATOM-000001'])
      expect((await see(id)).remaining).to.equal('0.00')
    })

    it('within their meters, as the public case has it', async () => {
      await billing.owner("insert into platform.orgs values ('initech', 'initech', 'member', now())")
      const charges = [
        ['count_1', '14.29', '24'],
        ['count_2', '14.27', '24'],
        ['other', '10.00', '0'],
      ].map(([id, unit_amount, percent]) => ({
        id: id as string,
        model: 'per_unit' as const,
        meter: id as string,
        unit_amount: unit_amount as string,
        taxes: [{ name: 'VAT', percent: percent as string }],
      }))
      await billing.sell('metrics', { name: 'metrics', currency: 'EUR', charges }, ['initech'])
      const { id } = await grant({ tenant: 'initech', amount: '39.00', applies_to: ['count_1', 'count_2'] })
      const as = await billing.organisations.token('initech', 'tenant')
      const time = '2026-10-20T09:00:00Z'
      const records = charges.map(({ meter }) => ({ id: meter, meter, quantity: '1', time, package: 'metrics' }))
      await billing.report(records, as)
      await billing.counted()
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
      // 17.72 and 17.69 are paid, tax included; what has another meter is not.
      const invoice = await billing.invoice('initech', '2026-10')
      expect(invoice).to.include({ total: '45.41', credits_applied: '35.41', amount_due: '10.00', currency: 'EUR' })
      expect((await see(id)).remaining).to.equal('3.59')
    })

    it('when they come with a plan: once for each subscription, for its package only, borne by the partner', async () => {
      const plan = perUnit('1', { credits: [{ amount: '2.005' }, { amount: '3', expires_at: '2026-01-01T00:00:00Z' }] })
      await billing.sell('with-credits', plan, ['acme'])
      const { body } = await billing.call<{ credits: Credit[] }>('GET', '/billing/credits', { as: billing.tokens.acme })
      expect(body.credits).to.have.length(1)
      expect(body.credits[0]).to.include({
        source: 'plan',
        kind: 'promotional',
        amount: '2.00',
        package: 'with-credits',
      })
      await use('3')
      expect((await billing.invoice('acme')).credits_applied).to.equal('0.00')
      const record = { id: 'p', meter: 'runs', quantity: '5', time: '2026-10-20T09:00:00Z', package: 'with-credits' }
      await billing.report([record])
      await billing.counted()
      expect(await billing.invoice('acme')).to.include({ total: '6.80', credits_applied: '2.00', amount_due: '4.80' })
      const [{ partner } = { partner: '' }] = await billing.owner<{ partner: string }>(
        "select partner from metering.ledger where account = 'promotion'",
      )
      expect(partner).to.equal('demo')
    })
  })

  describe('are deducted from', () => {
    it('wholly or not at all, once for each id', async () => {
      const { id } = await grant({ amount: '1' })
      const first = await deduct('d-1', '0.40')
      expect([first.status, first.body.left, first.body.credits]).to.deep.equal([201, '0.60', [{ id, amount: '0.40' }]])
      const again = await deduct('d-1', '0.4')
      expect([again.status, again.body.left, again.body.credits]).to.deep.equal([200, '0.60', [{ id, amount: '0.40' }]])
      const other = await deduct('d-1', '0.41')
      expect([other.status, other.body.code]).to.deep.equal([409, 'deduction_conflict'])
      const more = await deduct('d-2', '0.61')
      expect([more.status, more.body.code, more.body.detail]).to.deep.equal([
        409,
        'credits_insufficient',
        '0.60 USD is left for this',
      ])
      expect((await deduct('d-2', '0.005')).body.code).to.equal('deduction_invalid')
      expect((await deduct('d-2', '1', { tenant: 'nobody' })).status).to.equal(404)
      expect((await deduct('d-2', '1', { tenant: 'globex' })).body.code).to.equal('credits_insufficient')
      expect(await books()).to.deep.equal({ cash: '1.00', prepaid_credits: '-0.60', tenant_receivable: '-0.40' })
    })

    it('many in one call, in their order, whatever becomes of each', async () => {
      await grant({ amount: '1' })
      const deductions = [
        { id: 'a', amount: '0.40' },
        { id: 'b', amount: '0.70' },
        { id: 'a', amount: '0.40' },
        { id: 'c', amount: '0.60' },
        { id: 'a', amount: '0.41' },
        { id: 'd', amount: '0.001' },
      ]
      const ask = (json: object) =>
        billing.call<{ deductions: Record<string, string>[] } & Problem>('POST', '/billing/credits/deductions', {
          as: billing.tokens.finance,
          json,
        })
      const { status, body } = await ask({ tenant: 'acme', deductions })
      expect(status).to.equal(200)
      const refused = (code: string, pointer: string) => ['refused', code, pointer]
      expect(body.deductions.map((one) => [one.status, one.code ?? one.left, one.pointer])).to.deep.equal([
        ['taken', '0.60', undefined],
        refused('credits_insufficient', '/deductions/1/amount'),
        ['repeated', '0.60', undefined],
        ['taken', '0.00', undefined],
        refused('deduction_conflict', '/deductions/4/id'),
        refused('too_exact', '/deductions/5/amount'),
      ])
      const bad = await ask({
        tenant: 'acme',
        deductions: [
          { id: 'e', amount: '1' },
          { id: 'f', amount: 'x' },
        ],
      })
      expect([bad.status, bad.body.errors[0]?.pointer]).to.deep.equal([400, '/deductions/1/amount'])
      expect((await ask({ tenant: 'nobody', deductions })).status).to.equal(404)
      expect(await books()).to.deep.equal({ cash: '1.00', tenant_receivable: '-1.00' })
    })

    it('by finance and keys of the operator only', async () => {
      await grant()
      const key = await billing.organisations.apiKey('atom', 'report')
      const foreign = await billing.organisations.apiKey('acme', 'report')
      const reading = await billing.organisations.apiKey('atom', 'read')
      const statuses = await Promise.all(
        [key, foreign, reading, billing.tokens.acme].map(async (as) => (await deduct('d', '1', {}, as)).status),
      )
      expect(statuses).to.deep.equal([201, 403, 403, 403])
    })

    it('within the scope of each credit', async () => {
      await grant({ amount: '1', applies_to: ['storage'] })
      expect((await deduct('d', '0.50')).body.detail).to.contain('0.00 USD')
      expect((await deduct('d', '0.50', { meter: 'runs' })).status).to.equal(409)
      expect((await deduct('d', '0.50', { meter: 'storage' })).status).to.equal(201)
    })

    it('by many at once, never below zero, each id once', async () => {
      await grant({ amount: '2' })
      await grant({ amount: '1', reference: 'b', priority: 1 })
      const asked = Array.from({ length: 60 }, (_, n) => deduct(`d-${n % 40}`, '0.10'))
      const answers = await Promise.all(asked)
      const count = (status: number) => answers.filter((one) => one.status === status).length
      expect(count(201)).to.equal(30)
      const [{ sum } = { sum: '' }] = await billing.owner<{ sum: string }>(
        'select sum(remaining)::numeric(9,2)::text as sum from metering.credits',
      )
      expect(sum).to.equal('0.00')
      expect(await books()).to.deep.equal({ cash: '3.00', tenant_receivable: '-3.00' })
    })

    it('before the invoice, which counts them as paid and carries on what is too much', async () => {
      const { id } = await grant({ amount: '10' })
      await deduct('d', '2.50')
      await use('3')
      expect(await billing.invoice('acme')).to.deep.include({
        total: '1.80',
        credits: [{ id, amount: '1.80' }],
        amount_due: '0.00',
      })
      await issueOctober()
      expect(await see(id)).to.include({ remaining: '7.50', used: '2.50', on_account: '0.70' })
      expect((await books()).tenant_receivable).to.equal('-0.70')
      await billing.report([
        { id: 'n', meter: 'runs', quantity: '4', time: '2026-11-01T00:30:00Z', package: 'restart-workers' },
      ])
      await billing.counted()
      billing.clock.set('2026-12-01T01:00:00Z')
      await billing.issueDue()
      expect(await billing.invoice('acme', '2026-11')).to.include({ total: '2.40', amount_due: '0.00' })
      expect(await see(id)).to.include({ remaining: '5.80', used: '4.20', on_account: '0.00' })
      expect((await books()).tenant_receivable).to.equal(undefined)
    })
  })
})
