import { expect } from 'chai'
import type { Billing, Problem } from '../fixture.ts'
import { type Life, type Listed, type Note, openLife } from './fixture.ts'

describe('consumers/metering/life: credit notes', () => {
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

  describe('a credit note', () => {
    it('takes an amount off all sides in proportion, under a number of its own', async () => {
      const { id } = await issueBoth()
      const json = { reason: 'outage', amount: '1.00', reference: 'case-7' }
      const made = await Promise.all([act<Note>(id, 'credit-notes', json), act<Note>(id, 'credit-notes', json)])
      expect(made.map(({ status }) => status).sort()).to.deep.equal([200, 201])
      expect(made[0]?.body).to.deep.equal(made[1]?.body)
      const note = made[0]?.body as Note
      expect(note).to.deep.include({ number: 'ATOM-CN-000001', total: '1.00', subtotal: '0.84', tax: '0.16' })
      const sides = await billing.owner<{ account: string; amount: string }>(
        "select account, amount::text from metering.ledger where kind = 'credit_note' order by entry",
      )
      expect(sides.map(({ account, amount }) => [account, amount])).to.deep.equal([
        ['tenant_receivable', '-1.00'],
        ['partner_payable', '0.67'],
        ['platform_fee', '0.17'],
        ['tax_payable', '0.16'],
      ])
      expect((await listed('tenant=acme'))[0]).to.include({ credited: '1.00', state: 'issued' })
      const stored = await billing.call<Note>('GET', `/billing/credit-notes/${note.id}`, { as: billing.tokens.acme })
      expect(stored.body).to.deep.equal(note)
      for (const [format, start] of [
        ['pdf', '%PDF'],
        ['csv', 'row,id,period'],
      ] as const) {
        const path = `/billing/credit-notes/${note.id}.${format}`
        const [one, two] = [
          await billing.call('GET', path, { as: billing.tokens.acme }),
          await billing.call('GET', path, { as: billing.tokens.finance }),
        ]
        expect(one.bytes.toString('latin1').startsWith(start), format).to.equal(true)
        expect(one.bytes.equals(two.bytes), format).to.equal(true)
      }
      expect(
        (await billing.call('GET', `/billing/credit-notes/${note.id}`, { as: billing.tokens.globex })).status,
      ).to.equal(404)
    })

    it('takes lines back with their tax, and never more of a line or an invoice than there was', async () => {
      const { id } = await issueBoth()
      const [line] = (await billing.invoice('acme', '2026-10')).lines
      const lines = [{ line_id: line?.id, amount: '4.00' }]
      expect((await act<Note>(id, 'credit-notes', { reason: 'a', lines })).body).to.include({
        total: '4.80',
        tax: '0.80',
      })
      const much = await act(id, 'credit-notes', { reason: 'b', lines: [{ line_id: line?.id, amount: '6.01' }] })
      expect([much.status, much.body.code, much.body.errors[0]?.pointer]).to.deep.equal([
        409,
        'credit_exceeds_invoice',
        '/lines/0/amount',
      ])
      expect((await act(id, 'credit-notes', { reason: 'c', lines: [{ line_id: 'x' }] })).status).to.equal(400)
      expect((await act(id, 'credit-notes', { reason: 'd', lines, amount: '1' })).status).to.equal(400)
      expect((await act<Note>(id, 'credit-notes', { reason: 'e', lines: [{ line_id: line?.id }] })).body).to.include({
        total: '7.20',
      })
      expect((await act(id, 'credit-notes', { reason: 'f', amount: '0.01' })).status).to.equal(409)
      expect(await balances()).to.include({ tenant_receivable: '24.00', partner_payable: '-16.00' })
    })

    it('of two at once for all of it, one wins', async () => {
      const { id } = await issueBoth()
      const tries = await Promise.all(
        ['a', 'b', 'c'].map((reason) => act(id, 'credit-notes', { reason, amount: '12' })),
      )
      expect(tries.map(({ status }) => status).sort()).to.deep.equal([201, 409, 409])
      expect(await billing.owner('select last_number::int as n from metering.credit_note_sequence')).to.deep.equal([
        { n: 1 },
      ])
    })

    it('gives its number back when it fails half-way, and never changes afterwards', async () => {
      const { id } = await issueBoth()
      await billing.owner("alter table metering.ledger add constraint closed check (kind <> 'credit_note')")
      expect((await act(id, 'credit-notes', { reason: 'a', amount: '1' })).status).to.equal(500)
      await billing.owner('alter table metering.ledger drop constraint closed')
      expect((await act<Note>(id, 'credit-notes', { reason: 'a', amount: '1' })).body.number).to.equal('ATOM-CN-000001')
      const changed = await billing
        .owner('update metering.credit_notes set total = 0')
        .catch((error: Error) => error.message)
      expect(changed).to.contain('never change')
    })

    it('is listed newest first, also past the millionth', async () => {
      const { id } = await issueBoth()
      await billing.owner('update metering.credit_note_sequence set last_number = 999998')
      for (const reason of ['a', 'b', 'c']) await act(id, 'credit-notes', { reason, amount: '1' })
      type Page = { credit_notes: Note[]; next: string | null }
      const numbers: string[] = []
      for (let cursor = ''; cursor !== 'null'; ) {
        const path = `/billing/credit-notes?limit=1${cursor && `&cursor=${cursor}`}`
        const { body } = await billing.call<Page>('GET', path, { as: billing.tokens.acme })
        numbers.push(...body.credit_notes.map(({ number }) => number))
        cursor = String(body.next)
      }
      expect(numbers).to.deep.equal(['ATOM-CN-1000001', 'ATOM-CN-1000000', 'ATOM-CN-999999'])
    })

    it('is seen by its partner as what it gives back, without the tenant', async () => {
      const { id } = await issueBoth()
      await act(id, 'credit-notes', { reason: 'a', amount: '12' })
      const { body } = await billing.call<{ credit_notes: object[] }>('GET', '/billing/credit-notes', {
        as: billing.tokens.demo,
      })
      expect(body.credit_notes[0]).to.include({ number: 'ATOM-CN-000001', gross: '12.00', partner_share: '8.00' })
      expect(JSON.stringify(body)).to.not.contain('acme')
      const earned = await billing.call<{ months: object[] }>('GET', '/billing/earnings', { as: billing.tokens.demo })
      expect(earned.body.months).to.deep.equal([
        { month: '2026-11', currency: 'USD', payable: '24.00', credited_back: '8.00', net: '16.00' },
      ])
      const own = await billing.call<{ credit_notes: object[] }>('GET', '/billing/credit-notes', {
        as: billing.tokens.globex,
      })
      expect(own.body.credit_notes).to.deep.equal([])
    })
  })

  describe('a void', () => {
    it('is a credit note for all that is left, once, and nothing is done to it afterwards', async () => {
      const { id } = await issueBoth()
      await act(id, 'credit-notes', { reason: 'a', amount: '1' })
      type Voided = { invoice: Listed; credit_note: Note }
      const made = await Promise.all([1, 2].map(() => act<Voided>(id, 'void', { reason: 'wrong tenant' })))
      expect(
        made.map(({ body }) => [body.invoice.state, body.credit_note.number, body.credit_note.total]),
      ).to.deep.equal([
        ['void', 'ATOM-CN-000002', '11.00'],
        ['void', 'ATOM-CN-000002', '11.00'],
      ])
      expect(await balances()).to.include({
        tenant_receivable: '24.00',
        partner_payable: '-16.00',
        tax_payable: '-4.00',
      })
      for (const [what, json] of [
        ['credit-notes', { reason: 'x', amount: '1' }],
        ['payments', { amount: '1', paid_at: '2026-11-01T00:59:00Z', reference: 'r' }],
        ['uncollectible', { reason: 'x' }],
        ['retry', undefined],
        ['void', { reason: 'x', rebill: true }],
      ] as const)
        expect((await act(id, what, json)).status, what).to.equal(409)
    })

    it('is refused of what was paid in part', async () => {
      const { id } = await issueBoth()
      await act(id, 'payments', { amount: '1', paid_at: '2026-11-01T00:59:00Z', reference: 'r' })
      expect((await act(id, 'void', { reason: 'x' })).status).to.equal(409)
    })

    it('with rebill has the next invoice bill the month anew; without, late usage stays a difference', async () => {
      const { id } = await issueBoth()
      await act(id, 'void', { reason: 'wrong', rebill: true })
      const globex = (await listed('tenant=globex'))[0] as Listed
      await act(globex.id, 'void', { reason: 'gift' })
      await report('late', '1')
      await report('late', '1', billing.tokens.globex)
      const lines = async (tenant: string) =>
        (await billing.invoice(tenant, '2026-11')).lines
          .filter(({ period }) => period === '2026-10')
          .map(({ amount }) => amount)
      expect(await lines('acme')).to.deep.equal(['10.50'])
      expect(await lines('globex')).to.deep.equal(['0.50'])
      billing.clock.set('2026-12-01T01:00:00Z')
      await billing.issueDue()
      expect(await balances()).to.include({ tenant_receivable: '13.20' })
      expect(await billing.owner('select period from metering.late_periods')).to.deep.equal([])
    })
  })
})
