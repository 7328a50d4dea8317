import { expect } from 'chai'
import { analyticsHandlers } from '../../../consumers/analytics/index.ts'
import { toRecord } from '../../../platform/bus/binary-mode.ts'
import type { Consuming } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { runConsumer } from '../../../platform/bus/runner.ts'
import { rows } from '../../../platform/db.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import type { EventDefinition } from '../../../schemas/define-event.ts'
import { creditNoteIssued } from '../../../schemas/events/credit_note.issued.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'
import { wpkBlocked } from '../../../schemas/events/wpk.blocked.ts'
import { wpkDeprecated } from '../../../schemas/events/wpk.deprecated.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../../schemas/events/wpk.rejected.ts'
import { wpkReviewed } from '../../../schemas/events/wpk.reviewed.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../../schemas/events/wpk.verdict.ts'
import { wpkYanked } from '../../../schemas/events/wpk.yanked.ts'
import { wpkReaderChanged } from '../../../schemas/events/wpk_reader.changed.ts'
import { wpkVisibilityChanged } from '../../../schemas/events/wpk_visibility.changed.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'

describe('consumers/analytics: projections', () => {
  let database: TestDatabase
  let consuming: Consuming
  let bus: ReturnType<typeof openEmbeddedBus>
  const owner = <R>(sql: string) => database.as('postgres').query<R>(sql)
  before(async () => {
    database = await freshDatabase()
    const { log } = recordingLog()
    const db = database.as('atom_analytics')
    bus = openEmbeddedBus({ server: database.server, log, appender: database.as('atom_app'), dbFor: () => db })
    consuming = await runConsumer({
      bus,
      db,
      group: 'analytics',
      handlers: analyticsHandlers(),
      log,
      metrics: createMetrics(),
      now: () => new Date(),
    })
  })
  afterEach(async () => {
    expect(await owner('select reason from platform.dead_letters')).to.deep.equal([])
    await owner('truncate read.packages, read.revenue, read.credits, read.usage')
  })
  after(async () => {
    await consuming.stop()
    await bus.close()
    await database.drop()
  })

  let minute = 0
  const happen = async <D>(definition: EventDefinition<D>, change: Partial<D> = {}) => {
    minute += 1
    const event = definition.create(
      { ...definition.example, ...change },
      { source: '//test', now: new Date(Date.UTC(2026, 10, 2, 10, minute)) },
    )
    await bus.produce([toRecord(event, definition.topic)])
    await eventually('it is applied', async () => (await consuming.lag()).every(({ records }) => records === 0))
    return event
  }

  describe('packages', () => {
    const packages = () => owner<Record<string, unknown>>('select * from read.packages')

    it('follow a version from submission to publication', async () => {
      const { data } = await happen(wpkSubmitted)
      expect((await packages())[0]).to.include({
        id: data.id,
        org: 'demo',
        name: data.name,
        version: '1.0.0',
        status: 'submitted',
        risk_score: null,
      })
      const violation = {
        rule_id: 'WPK-P1-001',
        policy: 'P-1',
        severity: 'low' as const,
        confidence: 'high' as const,
        pointer: '/a',
        message: 'm',
        remediation: 'r',
        fingerprint: 'f'.repeat(64),
      }
      await happen(wpkVerdict, { verdict: { ...wpkVerdict.example.verdict, violations: [violation] } })
      expect((await packages())[0]).to.deep.include({
        status: 'in_review',
        risk_score: '0.12',
        decision: 'pass',
        violations: [{ rule_id: 'WPK-P1-001', severity: 'low', pointer: '/a', message: 'm' }],
      })
      await happen(wpkReviewed)
      expect((await packages())[0]).to.include({ status: 'approved' })
      const published = await happen(wpkPublished)
      const [last, ...others] = await packages()
      expect(last).to.deep.include({
        status: 'published',
        published_at: new Date(wpkPublished.example.published_at),
        updated_at: new Date(published.time),
      })
      expect(others).to.deep.equal([])
    })

    it('know what was rejected and what has to change', async () => {
      const rejected = { name: 'no', id: '0192f6a0-0000-7000-8000-000000000011' }
      await happen(wpkSubmitted, rejected)
      await happen(wpkReviewed, { ...rejected, decision: 'reject' })
      await happen(wpkRejected, rejected)
      const changes = { name: 'maybe', id: '0192f6a0-0000-7000-8000-000000000012' }
      await happen(wpkSubmitted, changes)
      await happen(wpkReviewed, { ...changes, decision: 'request_changes' })
      expect((await packages()).map(({ name, status }) => [name, status]).sort()).to.deep.equal([
        ['maybe', 'changes_requested'],
        ['no', 'rejected'],
      ])
    })

    it('know which packages are private, versions that come later included', async () => {
      const of = { name: 'in-house' }
      await happen(wpkSubmitted, { ...of, id: '0192f6a0-0000-7000-8000-000000000021' })
      await happen(wpkSubmitted, { name: 'another', id: '0192f6a0-0000-7000-8000-000000000022' })
      await happen(wpkVisibilityChanged, { ...of, visibility: 'private' })
      await happen(wpkSubmitted, { ...of, id: '0192f6a0-0000-7000-8000-000000000023', version: '2.0.0' })
      const seen = async () =>
        (await packages()).map(({ name, version, visibility }) => `${name} ${version} ${visibility}`).sort()
      expect(await seen()).to.deep.equal(['another 1.0.0 public', 'in-house 1.0.0 private', 'in-house 2.0.0 private'])
      await happen(wpkVisibilityChanged, { ...of, visibility: 'public' })
      expect((await seen()).filter((one) => one.endsWith('private'))).to.deep.equal([])
    })

    it('are shown to the readers of a private one while it is public to nobody else', async () => {
      const of = { name: 'lent', id: '0192f6a0-0000-7000-8000-000000000031' }
      await happen(wpkSubmitted, of)
      await happen(wpkPublished, of)
      await happen(wpkVisibilityChanged, { name: 'lent', visibility: 'private' })
      const seen = async (org: string) =>
        (
          await database
            .as('atom_portal')
            .transaction(
              (tx) => rows<{ version: string }>(tx, "select version from read.packages where name = 'lent'"),
              {
                scope: { org, operator: false },
              },
            )
        ).map(({ version }) => version)
      expect([await seen('acme'), await seen('globex'), await seen('demo')]).to.deep.equal([[], [], ['1.0.0']])
      for (const _ of [1, 2]) await happen(wpkReaderChanged, { name: 'lent', reader: 'acme', access: 'granted' })
      const next = { ...of, version: '1.1.0', id: '0192f6a0-0000-7000-8000-000000000032' }
      await happen(wpkSubmitted, next)
      expect(await seen('acme'), 'not what waits').to.deep.equal(['1.0.0'])
      await happen(wpkPublished, next)
      expect([(await seen('acme')).sort(), await seen('globex')]).to.deep.equal([['1.0.0', '1.1.0'], []])
      await happen(wpkReaderChanged, { name: 'lent', reader: 'acme', access: 'ended' })
      expect(await seen('acme')).to.deep.equal([])
    })

    it('follow a version that is taken back, and keep when it was published', async () => {
      const of = { name: 'gone', id: '0192f6a0-0000-7000-8000-000000000013' }
      await happen(wpkSubmitted, of)
      await happen(wpkPublished, of)
      for (const [status, event] of [
        ['deprecated', wpkDeprecated],
        ['yanked', wpkYanked],
        ['blocked', wpkBlocked],
      ] as const) {
        await happen(event, of)
        const [found] = await packages()
        expect(found).to.deep.include({ status, published_at: new Date(wpkPublished.example.published_at) })
      }
    })
  })

  describe('invoices', () => {
    const share = (partner: string, gross: string) => ({
      partner,
      gross,
      partner_share: '1',
      platform_fee: '0.5',
      tax: '0',
    })
    const used = (meter: string, of: string | null, quantity: string, amount: string | null) => ({
      meter,
      package: of,
      quantity,
      amount,
    })

    it('replace what was known of a tenant’s month, open or issued', async () => {
      await happen(invoiceUpdated, {
        shares: [share('demo', '1.50'), share('globex', '9.00')],
        usage: [used('runs', 'a', '3', '1.50'), used('gone', 'a', '1', '1')],
      })
      await happen(invoiceUpdated, { period: '2026-10' })
      await happen(invoiceIssued, { shares: [share('demo', '2.50')], usage: [used('runs', 'a', '5', '2.50')] })
      const revenue = await owner<Record<string, unknown>>(
        'select partner, tenant, period, gross::text, currency from read.revenue order by period, partner',
      )
      expect(revenue).to.deep.equal([
        { partner: 'demo', tenant: 'acme', period: '2026-10', gross: '1.50', currency: 'USD' },
        { partner: 'demo', tenant: 'acme', period: '2026-11', gross: '2.50', currency: 'USD' },
      ])
      const usage = await owner<Record<string, unknown>>(
        "select meter, package, quantity::text, amount::text from read.usage where period = '2026-11'",
      )
      expect(usage).to.deep.equal([{ meter: 'runs', package: 'a', quantity: '5', amount: '2.50' }])
    })

    it('keep what was given back beside the invoice, once however often it is heard', async () => {
      await happen(invoiceIssued, { shares: [share('demo', '2.50')] })
      const note = await happen(creditNoteIssued)
      await happen(creditNoteIssued, note.data)
      await happen(creditNoteIssued, { credit_note_id: '0192f6a0-0000-7000-8000-000000000005' })
      const left = await owner<{ left: string }>(
        `select ((select sum(gross) from read.revenue) - (select sum(gross) from read.credits))::text as left`,
      )
      expect(left).to.deep.equal([{ left: '1.50' }])
    })

    it('show a meter that several charges price once, with its amounts together', async () => {
      await happen(invoiceUpdated, {
        usage: [
          used('runs', 'a', '3', '1.50'),
          used('runs', 'a', '3', '0.30'),
          used('runs', null, '4', null),
          used('runs', 'b', '1', '1'),
        ],
      })
      const usage = await owner<Record<string, unknown>>(
        'select meter, package, quantity::text, amount::text from read.usage order by package',
      )
      expect(usage).to.deep.equal([
        { meter: 'runs', package: '', quantity: '4', amount: null },
        { meter: 'runs', package: 'a', quantity: '3', amount: '1.80' },
        { meter: 'runs', package: 'b', quantity: '1', amount: '1' },
      ])
    })

    it('without shares or usage leave none', async () => {
      await happen(invoiceUpdated)
      await happen(invoiceUpdated, { shares: [], usage: [] })
      expect(await owner('select 1 from read.revenue union all select 1 from read.usage')).to.deep.equal([])
    })
  })
})
