import { expect } from 'chai'
import type { Bus } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import { expireLog } from '../../../platform/bus/retention.ts'
import { silentLog } from '../../../platform/log.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { probeDataClasses } from '../../../platform/policy-probes/data-classes.ts'
import { probeLatency, probeObservability } from '../../../platform/policy-probes/observability.ts'
import { probeRowSecurity } from '../../../platform/policy-probes/row-security.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { topicList, topics } from '../../../schemas/topics.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { type Organisations, openOrganisations } from '../../support/organisations.ts'
import { startService, type TestService } from '../../support/service.ts'

const SCHEMAS = ['platform', 'marketplace', 'governance', 'metering', 'read']

describe('platform/policy-probes', () => {
  const clock = testClock('2026-11-02T10:00:00Z')
  let database: TestDatabase
  let organisations: Organisations
  let service: TestService
  let bus: Bus
  before(async () => {
    database = await freshDatabase()
    const db = database.as('atom_data')
    bus = openEmbeddedBus({ server: database.server, log: silentLog, dbFor: () => db, appender: db })
    organisations = await openOrganisations(database, ['demo'], clock)
    service = await startService([], organisations.authenticate)
  })
  after(async () => {
    await service.close()
    await organisations.close()
    await database.drop()
  })
  const owner = (sql: string, bindings: unknown[] = []) => database.as('postgres').query(sql, bindings)
  const emit = (traceparent?: string) => {
    const options = { source: '//test', now: clock(), ...(traceparent ? { traceparent } : {}) }
    const event = wpkPublished.create(wpkPublished.example, options)
    return database
      .as('atom_app')
      .transaction((tx) => publish(tx, wpkPublished, [event]), { locks: [keyLock(topics.wpk, 'x')] })
  }

  describe('P-1 data classes', () => {
    const probe = () =>
      probeDataClasses({ db: database.as('atom_analytics'), bus, schemas: SCHEMAS, topics: topicList })()

    it('holds for the tables of the migrations', async () => {
      expect(await probe()).to.include({ status: 'compliant' })
    })

    it('is violated by a table without a class, or with an unknown one', async () => {
      await owner('create table metering.scratch (n int)')
      expect(await probe()).to.include({ status: 'violated', detail: 'no class of data stated for metering.scratch' })
      await owner("comment on table metering.scratch is 'things [secret]'")
      expect(await probe()).to.include({ status: 'violated' })
    })

    it('is violated by raw events outside the log', async () => {
      await owner("comment on table metering.scratch is 'raw usage [log]'")
      expect(await probe()).to.include({ status: 'violated', detail: 'raw events outside the log: metering.scratch' })
      await owner('drop table metering.scratch')
    })

    it('is violated by events past their retention, until they expire', async () => {
      await emit()
      await owner("update platform.event_log set topic = 'atom.usage', recorded_at = now() - interval '37 days'")
      expect((await probe()).status).to.equal('violated')
      expect(await expireLog(database.as('atom_data'), topicList)).to.equal(1)
      expect((await probe()).status).to.equal('compliant')
    })
  })

  describe('P-4 observability', () => {
    const probe = (urls: string[]) => probeObservability({ bus, topics: [topics.wpk], baseUrls: () => urls })()

    it('does not apply before a service listens', async () => {
      expect(await probe([])).to.include({ status: 'not_applicable' })
    })

    it('holds while services give metrics and events carry traces', async () => {
      await emit('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
      expect(await probe([service.url])).to.include({ status: 'compliant' })
    })

    it('is violated by events without a trace', async () => {
      await emit()
      const { status, detail } = await probe([service.url])
      expect([status, detail]).to.deep.equal(['violated', '1 of the newest 2 events of atom.wpk carry no trace'])
    })

    it('is violated by a service without metrics', async () => {
      expect(await probe([`${service.url}/nothing`])).to.include({ status: 'violated' })
    })
  })

  describe('P-5 row security', () => {
    const probe = (role = 'atom_app') => probeRowSecurity(database.as(role), SCHEMAS)()

    it('holds for the role that serves HTTP', async () => {
      expect(await probe()).to.include({ status: 'compliant' })
    })

    it('is violated by a role that can bypass it', async () => {
      expect(await probe('postgres')).to.include({
        status: 'violated',
        detail: 'role postgres can bypass row security',
      })
    })

    it('is violated by a table of tenants without it, or that is not forced', async () => {
      await owner('create table metering.open (tenant text)')
      expect(await probe()).to.include({ status: 'violated', detail: 'metering.open is not under row security' })
      await owner('alter table metering.open enable row level security')
      await owner('create policy all_rows on metering.open using (true)')
      expect(await probe()).to.include({ status: 'violated' })
      await owner('alter table metering.open force row level security')
      expect(await probe()).to.include({ status: 'compliant' })
    })

    it('is violated by a policy that shows rows without an organisation', async () => {
      await owner("insert into metering.open values ('demo')")
      await owner('grant select on metering.open to atom_app')
      expect(await probe()).to.include({
        status: 'violated',
        detail: 'role atom_app sees 1 rows without an organisation',
      })
      await owner('drop table metering.open')
    })
  })

  describe('P-6 latency', () => {
    it('compares the 95th percentile of all requests with the limit', async () => {
      const metrics = createMetrics()
      const seconds = metrics.histogram('atom_http_seconds', 'Time', [0.5, 1, 5])
      const probe = probeLatency({
        metrics,
        histogram: 'atom_http_seconds',
        limitSeconds: 1,
        ready: () => true,
        now: () => new Date(),
      })
      expect(await probe()).to.include({ status: 'not_applicable' })
      for (let i = 0; i < 19; i++) seconds.observe(0.2)
      expect(await probe()).to.include({ status: 'compliant' })
      seconds.observe(3)
      seconds.observe(3)
      expect(await probe()).to.include({ status: 'violated' })
    })

    it('looks at the last minutes only, and not at what was answered while the process started', async () => {
      const metrics = createMetrics()
      const seconds = metrics.histogram('atom_http_seconds', 'Time', [0.5, 1, 5])
      let ready = false
      let minutes = 0
      const now = () => new Date(minutes * 60_000)
      const latency = { metrics, histogram: 'atom_http_seconds', limitSeconds: 1, ready: () => ready, now }
      const probe = probeLatency(latency)
      seconds.observe(3)
      expect(await probe()).to.include({ status: 'not_applicable' })
      ready = true
      expect(await probe()).to.include({ status: 'not_applicable' })
      seconds.observe(3)
      const detail = 'p95 of the last 1 requests is at most 5 s'
      expect(await probe()).to.deep.equal({ status: 'violated', detail })
      minutes = 5
      expect(await probe()).to.include({ status: 'violated' })
      minutes = 10
      seconds.observe(0.2)
      expect(await probe()).to.include({ status: 'compliant' })
    })
  })
})
