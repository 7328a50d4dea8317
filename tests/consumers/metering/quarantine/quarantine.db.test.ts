import { expect } from 'chai'
import { type Invoice, perUnit } from '../fixture.ts'
import { openQuarantine, PACKAGE, type QuarantineWorld } from './fixture.ts'

type Quarantined = { meter: string; package: string; version: string | null; quantity: string; cause: string }
const quarantinedOf = (invoice: Invoice) =>
  (invoice as Invoice & { quarantined: Quarantined[] }).quarantined.map(({ version, quantity, cause }) => [
    version,
    quantity,
    cause,
  ])

describe('consumers/metering/quarantine', () => {
  let world: QuarantineWorld
  beforeEach(async () => {
    world = await openQuarantine('2026-11-10T10:30:00Z')
    await world.billing.sell(PACKAGE, perUnit('0.50'), ['acme', 'globex'])
    await world.published('1.0.0')
    await world.published('1.1.0')
  })
  afterEach(() => world.billing.close())
  const at = (time: string) => world.billing.clock.set(time)
  const november = () => world.billing.invoice('acme', '2026-11')
  const total = async () => (await november()).subtotal

  it('bills usage of a yanked version up to the hour in which it was yanked, and says what it leaves out', async () => {
    await world.use('1.0.0', '2', '2026-11-10T09:59:59Z')
    await world.use('1.0.0', '4', '2026-11-10T10:00:00Z')
    await world.use('1.1.0', '8', '2026-11-10T10:00:00Z')
    await world.yanked('1.0.0')
    const after = await world.use('1.0.0', '16', '2026-11-10T10:30:00Z')
    expect(after.status).to.equal('quarantined')
    expect((await world.use('1.1.0', '32', '2026-11-10T10:31:00Z')).status).to.equal('counted')
    const invoice = await november()
    expect(invoice.subtotal).to.equal('21.00')
    expect(quarantinedOf(invoice)).to.deep.equal([['1.0.0', '20', 'yanked']])
    const { body } = await world.billing.call<{ usage: { quantity: string; hours: object[] } }>(
      'GET',
      `/billing/invoice/acme/lines/${invoice.lines[0]?.id}/explain?period=2026-11`,
      { as: world.billing.tokens.acme },
    )
    expect(body.usage.quantity).to.equal('42')
  })

  it('bills no usage of a rejected version, whenever it was', async () => {
    await world.use('2.0.0', '2', '2026-11-03T10:00:00Z')
    expect(await total()).to.equal('1.00')
    await world.rejected('2.0.0')
    expect(await total()).to.equal('0.00')
    expect((await world.use('2.0.0', '4', '2026-11-01T10:00:00Z')).status).to.equal('quarantined')
    expect(quarantinedOf(await november())).to.deep.equal([['2.0.0', '6', 'rejected']])
  })

  it('bills what a reviewer releases, what was used and what comes later', async () => {
    await world.yanked('1.0.0')
    const early = await world.use('1.0.0', '4', '2026-11-10T10:00:00Z')
    expect(await world.decideOn('1.0.0', 'release')).to.include({ state: 'released', tenants: 1 })
    expect(await total()).to.equal('2.00')
    expect((await world.use('1.0.0', '2', '2026-11-10T10:01:00Z')).status).to.equal('counted')
    expect(await total()).to.equal('3.00')
    expect(quarantinedOf(await november())).to.deep.equal([])
    expect((await world.receipt(early.id)).status).to.equal('counted')
  })

  it('leaves out for good what is written off, and the invoice says so', async () => {
    await world.yanked('1.0.0')
    await world.use('1.0.0', '4', '2026-11-10T10:00:00Z')
    await world.decideOn('1.0.0', 'write_off')
    expect((await world.use('1.0.0', '2', '2026-11-10T10:01:00Z')).status).to.equal('quarantined')
    await world.blocked('1.0.0')
    const invoice = await november()
    expect(invoice.subtotal).to.equal('0.00')
    expect((invoice as Invoice & { quarantined: object[] }).quarantined).to.deep.equal([
      {
        meter: 'runs',
        package: PACKAGE,
        version: '1.0.0',
        quantity: '6',
        cause: 'yanked',
        state: 'written_off',
        period: '2026-11',
      },
    ])
    expect(await world.list(world.reviewer, '?state=quarantined')).to.deep.equal([])
  })

  it('asks once for a version that is yanked and then blocked, and again for one that was released', async () => {
    await world.yanked('1.0.0')
    at('2026-11-10T12:30:00Z')
    await world.use('1.0.0', '4', '2026-11-10T11:00:00Z')
    await world.blocked('1.0.0')
    const [found, ...others] = await world.list()
    expect(others).to.deep.equal([])
    expect(found).to.include({ cause: 'blocked', reason: 'Sends secrets.', since: '2026-11-10T10:30:00.000Z' })
    await world.yanked('1.1.0')
    await world.decideOn('1.1.0', 'release')
    at('2026-11-10T14:30:00Z')
    await world.use('1.1.0', '2', '2026-11-10T13:59:00Z')
    await world.blocked('1.1.0')
    expect((await world.use('1.1.0', '8', '2026-11-10T14:00:00Z')).status).to.equal('quarantined')
    expect(await total()).to.equal('1.00')
    expect(
      (await world.list(world.reviewer, '?state=quarantined')).map(({ version, since }) => [version, since]),
    ).to.deep.include(['1.1.0', '2026-11-10T14:30:00.000Z'])
  })

  it('takes an issued month back on the next invoice, and bills it again once it is released', async () => {
    await world.use('1.0.0', '4', '2026-11-10T10:00:00Z')
    at('2026-12-01T01:00:00Z')
    await world.billing.issueDue()
    expect(await total()).to.equal('2.00')
    const bytes = JSON.stringify(await november())
    at('2026-12-02T01:00:00Z')
    await world.rejected('1.0.0')
    const december = await world.billing.invoice('acme', '2026-12')
    expect(december.lines.map(({ kind, period, amount }) => [kind, period, amount])).to.deep.include([
      'adjustment',
      '2026-11',
      '-2.00',
    ])
    expect(quarantinedOf(december)).to.deep.equal([['1.0.0', '4', 'rejected']])
    at('2027-01-01T01:00:00Z')
    await world.billing.issueDue()
    expect((await world.billing.invoice('acme', '2026-12')).subtotal).to.equal('-2.00')
    expect(await world.decideOn('1.0.0', 'release')).to.deep.include({ periods: ['2026-11'] })
    at('2027-02-01T01:00:00Z')
    await world.billing.issueDue()
    const january = await world.billing.invoice('acme', '2027-01')
    expect([january.status, january.subtotal]).to.deep.equal(['issued', '2.00'])
    expect(JSON.stringify(await november())).to.equal(bytes)
    const [{ owed } = { owed: '' }] = await world.billing.owner<{ owed: string }>(
      "select trim_scale(sum(amount))::text as owed from metering.ledger where account = 'tenant_receivable'",
    )
    expect(owed).to.equal('2')
  })

  it('leaves usage that names no version alone until no version is left', async () => {
    await world.yanked('1.0.0')
    expect((await world.use('', '1', '2026-11-10T10:30:00Z')).status).to.equal('counted')
    at('2026-11-10T11:30:00Z')
    await world.blocked('1.1.0')
    expect((await world.use('', '2', '2026-11-10T11:30:00Z')).status).to.equal('quarantined')
    expect(quarantinedOf(await november())).to.deep.equal([[null, '2', 'blocked']])
    at('2026-11-10T13:30:00Z')
    await world.published('1.2.0')
    expect((await world.use('', '4', '2026-11-10T13:30:00Z')).status).to.equal('counted')
    expect(await total()).to.equal('2.50')
    at('2026-11-10T14:30:00Z')
    await world.yanked('1.2.0')
    expect((await world.use('', '8', '2026-11-10T14:30:00Z')).status).to.equal('quarantined')
    expect(await total()).to.equal('2.50')
  })
})
