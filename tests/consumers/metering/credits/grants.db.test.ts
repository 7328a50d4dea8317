import { expect } from 'chai'
import { expireCredits } from '../../../../consumers/metering/credits/end-credit.ts'
import { measureCredits } from '../../../../consumers/metering/credits/measure-credits.ts'
import { rejected } from '../../../support/rejected.ts'
import { type Billing, perUnit } from '../fixture.ts'
import { type Credit, type Credits, openCredits } from './fixture.ts'

describe('consumers/metering/credits: grants', function () {
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
  const tryGrant: Credits['tryGrant'] = (...of) => credits.tryGrant(...of)
  const end: Credits['end'] = (id) => credits.end(id)

  describe('grants', () => {
    it('are made once by their reference, with a posting', async () => {
      const made = await grant({ priority: 3, expires_at: '2027-01-01T00:00:00Z', applies_to: ['runs'] })
      expect(made).to.include({ amount: '10.00', remaining: '10.00', currency: 'USD', source: 'manual', priority: 3 })
      const again = await tryGrant({
        amount: '10.0',
        priority: 3,
        expires_at: '2027-01-01T00:00:00Z',
        applies_to: ['runs'],
      })
      expect([again.status, again.body.id]).to.deep.equal([200, made.id])
      const other = await tryGrant({ amount: '11' })
      expect([other.status, other.body.code]).to.deep.equal([409, 'credit_conflict'])
      expect(await books()).to.deep.equal({ cash: '10.00', prepaid_credits: '-10.00' })
    })

    it('are made once by callers at the same time', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => tryGrant()))
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 200, 200, 200, 200, 200, 200, 201])
      expect(new Set(answers.map(({ body }) => body.id)).size).to.equal(1)
      expect(await books()).to.deep.equal({ cash: '10.00', prepaid_credits: '-10.00' })
    })

    it('are refused with the place of the fault', async () => {
      const faults: [object, number, string, string][] = [
        [{ amount: '0' }, 400, 'body_malformed', '/amount'],
        [{ amount: '-1' }, 400, 'body_malformed', '/amount'],
        [{ amount: '1.005' }, 400, 'credit_invalid', '/amount'],
        [{ expires_at: '2026-10-01T00:00:00Z' }, 400, 'credit_invalid', '/expires_at'],
        [{ expires_at: 'soon' }, 400, 'credit_invalid', '/expires_at'],
        [{ currency: 'XXQ' }, 400, 'credit_invalid', '/currency'],
        [{ kind: 'stolen' }, 400, 'body_malformed', '/kind'],
        [{ applies_to: [] }, 400, 'body_malformed', '/applies_to'],
      ]
      for (const [more, status, code, pointer] of faults) {
        const answer = await tryGrant(more)
        const got = [answer.status, answer.body.code, answer.body.errors?.[0]?.pointer]
        expect(got, JSON.stringify(more)).to.deep.equal([status, code, pointer])
      }
      expect((await tryGrant({ currency: 'EUR' })).body.code).to.equal('currency_mismatch')
      expect((await tryGrant({ tenant: 'nobody' })).status).to.equal(404)
      expect((await tryGrant({}, billing.tokens.acme)).status).to.equal(403)
      expect(await books()).to.deep.equal({})
    })

    it('are seen by their tenant and finance, page by page', async () => {
      const first = await grant()
      const second = await grant({ reference: 'order-2', kind: 'promotional' })
      const other = await grant({ reference: 'order-3', tenant: 'globex' })
      const list = async (as: string, query = '') =>
        (await billing.call<{ credits: Credit[]; next: string | null }>('GET', `/billing/credits${query}`, { as })).body
      const ids = async (as: string, query = '') => (await list(as, query)).credits.map(({ id }) => id)
      expect(await ids(billing.tokens.finance)).to.deep.equal([other.id, second.id, first.id])
      expect(await ids(billing.tokens.finance, '?tenant=acme')).to.deep.equal([second.id, first.id])
      expect(await ids(billing.tokens.acme)).to.deep.equal([second.id, first.id])
      expect(await ids(billing.tokens.acme, '?tenant=globex')).to.deep.equal([])
      const { next } = await list(billing.tokens.acme, '?limit=1')
      expect(await ids(billing.tokens.acme, `?limit=1&cursor=${next}`)).to.deep.equal([first.id])
      const status = async (as: string) => (await billing.call('GET', `/billing/credits/${other.id}`, { as })).status
      expect([await status(billing.tokens.globex), await status(billing.tokens.acme)]).to.deep.equal([200, 404])
      expect((await billing.call('GET', '/billing/credits/1', { as: billing.tokens.finance })).status).to.equal(404)
    })

    it('are voided for what is left, once, and never after they are used up', async () => {
      const { id } = await grant()
      await deduct('d-1', '4')
      const ended = await end(id)
      expect(ended.body).to.include({ remaining: '0.00', voided: '6.00', used: '4.00', void_reason: 'ordered twice' })
      expect((await end(id)).status).to.equal(200)
      expect((await see(id)).movements.map(({ kind, amount }) => [kind, amount])).to.deep.equal([
        ['void', '6.00'],
        ['deduction', '4.00'],
      ])
      expect(await books()).to.deep.equal({ cash: '4.00', tenant_receivable: '-4.00' })
      const spent = await grant({ reference: 'order-2', amount: '1' })
      await deduct('d-2', '1')
      const refused = await end(spent.id)
      expect([refused.status, refused.body.code]).to.deep.equal([409, 'credit_spent'])
    })
  })

  it('come from the version of the plan that a subscription begins under, and are usable from its start', async () => {
    const id = await billing.sell('versioned', perUnit('1', { credits: [{ amount: '1' }] }), ['globex'])
    const later = {
      ...perUnit('1'),
      effective_from: '2026-11-01T00:00:00Z',
      credits: [{ amount: '2' }, { amount: '3' }],
    }
    const made = await billing.call('POST', `/billing/plans/${id}/versions`, { as: billing.tokens.demo, json: later })
    expect(made.status).to.equal(201)
    const json = { package: 'versioned', plan_id: id, tenant: 'acme', starts_at: '2026-11-05T00:00:00Z' }
    await billing.call('POST', '/billing/subscriptions', { as: billing.tokens.finance, json })
    const given = async (as: string) =>
      (await billing.call<{ credits: Credit[] }>('GET', '/billing/credits', { as })).body.credits.map(
        (one) => one.amount,
      )
    expect(await given(billing.tokens.globex)).to.deep.equal(['1.00'])
    expect(await given(billing.tokens.acme)).to.deep.equal(['3.00', '2.00'])
    expect((await deduct('early', '1', { package: 'versioned' })).body.detail).to.contain('0.00 USD')
    billing.clock.set('2026-11-05T00:00:00Z')
    expect((await deduct('elsewhere', '1')).status).to.equal(409)
    expect((await deduct('then', '1', { package: 'versioned' })).body.left).to.equal('4.00')
  })

  describe('expire', () => {
    it('with a movement and a posting, once, into what we keep or what was given', async () => {
      const paid = await grant({ amount: '3', expires_at: '2026-11-01T00:00:00Z' })
      const given = await grant({
        amount: '2',
        kind: 'promotional',
        reference: 'b',
        expires_at: '2026-11-01T00:00:00Z',
      })
      await grant({ amount: '1', reference: 'c' })
      expect(await expireCredits(billing.deps)).to.equal(0)
      billing.clock.set('2026-11-01T00:00:00Z')
      expect((await deduct('d', '2')).body.detail).to.contain('1.00 USD')
      const rounds = await Promise.all([expireCredits(billing.deps), expireCredits(billing.deps)])
      expect(rounds.reduce((a, b) => a + b)).to.equal(2)
      for (const [{ id }, amount] of [
        [paid, '3.00'],
        [given, '2.00'],
      ] as const) {
        const credit = await see(id)
        expect(credit).to.include({ remaining: '0.00', expired: amount })
        expect(credit.movements.map((one) => [one.kind, one.amount])).to.deep.equal([['expiry', amount]])
      }
      expect(await books()).to.deep.equal({ breakage: '-3.00', cash: '4.00', prepaid_credits: '-1.00' })
      await measureCredits(billing.deps, billing.metrics)()
      const text = await billing.metrics.text()
      expect(text).to.contain('atom_prepaid_credits{currency="USD",state="granted"} 6')
      expect(text).to.contain('atom_prepaid_credits{currency="USD",state="expired"} 5')
    })

    it('of one tenant whatever happens to those of another', async () => {
      await grant({ expires_at: '2026-11-01T00:00:00Z' })
      await grant({ tenant: 'globex', expires_at: '2026-11-02T00:00:00Z' })
      billing.clock.set('2026-11-03T00:00:00Z')
      await billing.owner("alter table metering.ledger add constraint closed check (tenant <> 'acme') not valid")
      expect(await expireCredits(billing.deps)).to.equal(1)
      expect(billing.log.filter(({ message }) => /could not be expired/.test(message))).to.have.length(1)
      await billing.owner('alter table metering.ledger drop constraint closed')
      expect(await expireCredits(billing.deps)).to.equal(1)
    })
  })

  it('never below zero and never changed afterwards, below the service too', async () => {
    await grant({ amount: '1' })
    await deduct('d', '0.50')
    const below = billing.owner('update metering.credits set used = 2')
    expect((await rejected(below)).message).to.contain('credits_remaining_check')
    for (const sql of ['update metering.credit_movements set amount = 9', 'delete from metering.credit_movements'])
      expect((await rejected(billing.owner(sql))).message).to.contain('never change')
  })
})
