import { expect } from 'chai'
import { measureQuarantines } from '../../../../consumers/metering/quarantine/measure-quarantines.ts'
import { type Problem, perUnit } from '../fixture.ts'
import { openQuarantine, PACKAGE, type Quarantine, type QuarantineWorld } from './fixture.ts'

type Close = { closed: boolean; checks: { name: string; count: number; action?: string; links?: object }[] }

describe('consumers/metering/quarantine: who sees and decides', () => {
  let world: QuarantineWorld
  beforeEach(async () => {
    world = await openQuarantine('2026-11-10T10:30:00Z')
    await world.billing.sell(PACKAGE, perUnit('0.50'), ['acme', 'globex'])
    await world.published('1.0.0')
    await world.published('1.1.0')
  })
  afterEach(() => world.billing.close())

  it('shows quantities: a tenant its own, the publisher and the operator those of all, nobody else anything', async () => {
    const { tokens } = world.billing
    await world.use('1.0.0', '2', '2026-11-10T10:00:00Z', 'acme')
    await world.yanked('1.0.0')
    await world.use('1.0.0', '4', '2026-11-10T10:20:00Z', 'acme')
    await world.rejected('2.0.0')
    expect((await world.list(tokens.globex)).length).to.equal(0)
    await world.use('2.0.0', '8', '2026-11-10T10:20:00Z', 'globex')
    await world.use('1.0.0', '16', '2026-11-10T09:20:00Z', 'globex')
    const quantities = (found: Quarantine[]) =>
      Object.fromEntries(
        found.map(({ version, records, usage }) => [version, [records, ...usage.map((one) => one.quantity)]]),
      )
    expect(quantities(await world.list(tokens.acme))).to.deep.equal({ '1.0.0': [2, '6'] })
    // What globex used of 1.0.0 was before it was yanked.
    expect(quantities(await world.list(tokens.globex))).to.deep.equal({ '1.0.0': [0], '2.0.0': [1, '8'] })
    const all = { '1.0.0': [2, '6'], '2.0.0': [1, '8'] }
    for (const as of [tokens.demo, tokens.finance, tokens.admin, world.reviewer])
      expect(quantities(await world.list(as))).to.deep.equal(all)
    await world.billing.owner("insert into platform.orgs values ('umbrella', 'umbrella', 'member', now())")
    const umbrella = await world.billing.organisations.token('umbrella', 'partner')
    expect((await world.list(umbrella)).length).to.equal(0)
    await world.decideOn('1.0.0', 'release')
    const seen = async (as: string) => (await world.list(as, '?state=released'))[0] as Quarantine
    expect(await seen(tokens.acme)).to.deep.include({ state: 'released', publisher: 'demo', cause: 'yanked' })
    expect(await seen(tokens.acme)).to.not.have.property('justification')
    expect(await seen(tokens.demo)).to.include({
      justification: 'Seen with the publisher.',
      decided_by: 'atom-reviewer@atom',
      reason: 'Loses jobs.',
      since: '2026-11-10T10:30:00.000Z',
    })
  })

  it('goes on from page to page', async () => {
    for (const version of ['3.0.0', '4.0.0', '5.0.0']) {
      world.billing.clock.advance(60_000)
      await world.rejected(version)
    }
    const versions: (string | null)[] = []
    let path: string | null = '/billing/quarantines?limit=2'
    while (path) {
      const { body }: { body: { quarantines: Quarantine[]; next: string | null } } = await world.billing.call(
        'GET',
        path,
        {
          as: world.reviewer,
        },
      )
      versions.push(...body.quarantines.map(({ version }) => version))
      path = body.next && `/billing/quarantines?limit=2&cursor=${body.next}`
    }
    expect(versions).to.deep.equal(['5.0.0', '4.0.0', '3.0.0'])
    const { status, body } = await world.billing.call<Problem>('GET', '/billing/quarantines?state=open', {
      as: world.reviewer,
    })
    expect([status, body.code]).to.deep.equal([400, 'parameter_invalid'])
  })

  it('is decided once: of many at the same time one decides, the others are told', async () => {
    await world.yanked('1.0.0')
    const [{ id } = { id: '' }] = await world.list()
    const answers = await Promise.all(
      ['release', 'write_off', 'release', 'write_off'].map((decision) => world.decide(id, decision)),
    )
    const won = answers.filter(({ status }) => status === 200)
    expect(won.length).to.equal(1)
    for (const { status, body } of answers.filter((one) => !won.includes(one)))
      expect([status, body.code]).to.deep.equal([409, 'quarantine_decided'])
    expect((await world.list())[0]?.state).to.equal(won[0]?.body.state)
  })

  it('is a reviewer’s to decide, of packages of others, with a reason', async () => {
    const { tokens, owner } = world.billing
    await world.yanked('1.0.0')
    const [{ id } = { id: '' }] = await world.list()
    for (const as of [tokens.demo, tokens.acme, tokens.finance, tokens.admin])
      expect((await world.decide(id, 'release', as)).status).to.equal(403)
    for (const absent of ['x', '0192f6a0-0000-7000-8000-000000000009'])
      expect((await world.decide(absent, 'release')).status).to.equal(404)
    expect((await world.decide(id, 'forget')).body.code).to.equal('body_malformed')
    const bare = { as: world.reviewer, json: { decision: 'release' } }
    expect((await world.billing.call('POST', `/billing/quarantines/${id}`, bare)).status).to.equal(400)
    await owner("update metering.quarantines set partner = 'atom' where id = ?", [id])
    const own = await world.decide(id, 'release')
    expect([own.status, own.body.code]).to.deep.equal([403, 'quarantine_own_package'])
    expect((await world.list())[0]?.state).to.equal('quarantined')
  })

  it('stands between a month and its books until it is decided, and is measured', async () => {
    const { billing } = world
    const closing = async () =>
      (await billing.call<Close>('GET', '/billing/close/2026-11', { as: billing.tokens.finance })).body
    const quarantined = ({ checks }: Close) => checks.find(({ name }) => name === 'quarantined')
    const measure = measureQuarantines(billing.deps.allTenants, billing.metrics)
    const measured = async () => {
      await measure()
      const text = await billing.metrics.text()
      return ['quarantined', 'written_off'].map(
        (state) => new RegExp(`atom_quarantined_records\\{state="${state}"\\} (\\d+)`).exec(text)?.[1],
      )
    }
    await world.rejected('2.0.0')
    expect(quarantined(await closing())).to.deep.equal({ name: 'quarantined', count: 0 })
    await world.use('2.0.0', '2', '2026-11-10T10:00:00Z')
    await world.use('2.0.0', '2', '2026-11-09T10:00:00Z')
    expect(quarantined(await closing())).to.deep.equal({
      name: 'quarantined',
      count: 1,
      action: 'a reviewer releases the usage of these package versions or writes it off',
      links: { quarantines: '/billing/quarantines?state=quarantined' },
    })
    expect(await measured()).to.deep.equal(['2', '0'])
    billing.clock.set('2026-12-01T01:00:00Z')
    await world.use('1.0.0', '2', '2026-11-10T10:00:00Z')
    await billing.issueDue()
    expect((await closing()).closed).to.equal(false)
    await world.decideOn('2.0.0', 'write_off')
    expect(quarantined(await closing())?.count).to.equal(0)
    expect(await measured()).to.deep.equal(['0', '2'])
  })

  it('is in the documents of the invoice', async () => {
    const { billing } = world
    await world.yanked('1.0.0')
    await world.use('1.0.0', '2.5', '2026-11-10T10:00:00Z')
    await world.decideOn('1.0.0', 'write_off')
    const document = (format: string) =>
      billing.call('GET', `/billing/invoice/acme.${format}?period=2026-11`, { as: billing.tokens.acme })
    const csv = (await document('csv')).bytes.toString('utf8').trim().split('\r\n')
    expect(csv.at(-1)?.split(',').filter(Boolean)).to.include.members([
      'quarantined',
      'written_off',
      PACKAGE,
      'runs',
      '2.5',
    ])
    expect(csv.at(-1)).to.contain('not billed: yanked')
    const pdf = await document('pdf')
    expect(pdf.bytes.subarray(0, 5).toString()).to.equal('%PDF-')
    const bare = await billing.call('GET', '/billing/invoice/globex.pdf?period=2026-11', { as: billing.tokens.globex })
    expect(pdf.bytes.length).to.be.greaterThan(bare.bytes.length)
  })

  it('reads the same from the rows that row-level security lets its sides see', async () => {
    await world.use('1.0.0', '2', '2026-11-10T10:00:00Z', 'acme')
    await world.yanked('1.0.0')
    const { database } = world.billing
    const seen = (org: string, operator = false) =>
      database
        .as('atom_app')
        .transaction(
          async (tx) => (await tx.raw('select count(*)::int as n from metering.quarantines')).rows[0].n as number,
          { scope: { org, operator } },
        )
    expect([await seen('acme'), await seen('globex'), await seen('demo'), await seen('atom', true)]).to.deep.equal([
      1, 0, 1, 1,
    ])
  })
})
