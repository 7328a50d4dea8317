import { expect } from 'chai'
import type { Admin } from 'kafkajs'
import { meteringHandlers } from '../../../../consumers/metering/index.ts'
import { REPORT_COLUMNS, readReport, type StoredReport } from '../../../../consumers/metering/receipts/report-log.ts'
import type { RunningKafka } from '../../../../deploy/kafka/start.ts'
import { toRecord } from '../../../../platform/bus/binary-mode.ts'
import type { Bus } from '../../../../platform/bus/bus.ts'
import { openKafkaBus } from '../../../../platform/bus/kafka.ts'
import { type RunningConsumer, runConsumer } from '../../../../platform/bus/runner.ts'
import { silentLog as log } from '../../../../platform/log.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { usageReported } from '../../../../schemas/events/usage.reported.ts'
import { topics } from '../../../../schemas/topics.ts'
import { testClock } from '../../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../../support/database.ts'
import { eventually } from '../../../support/eventually.ts'
import { adminOf, brokerForTests, emptyTopics } from '../../../support/kafka.ts'

describe('consumers/metering: reports in the log, on Kafka', function () {
  this.timeout(60_000)
  const now = testClock('2026-11-10T10:00:00Z')
  const metrics = createMetrics()
  let kafka: RunningKafka
  let admin: Admin
  let database: TestDatabase
  let bus: Bus
  let consuming: RunningConsumer
  before(async function () {
    kafka = await brokerForTests(this)
    admin = await adminOf(kafka)
    database = await freshDatabase()
    for (const org of ['acme', 'globex'])
      await database
        .as('postgres')
        .query("insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, 'member', now())", [
          org,
          org,
        ])
    bus = await openKafkaBus({ brokers: kafka.brokers, topics: Object.values(topics), log, metrics })
    const db = database.as('atom_metering')
    const handlers = meteringHandlers(metrics, { now })
    consuming = await runConsumer({ bus, db, group: 'metering', handlers, log, metrics, now })
  })
  after(async () => {
    await consuming?.stop()
    await bus?.close()
    await admin?.disconnect()
    await kafka?.stop()
    await database?.drop()
  })

  const reportOf = (n: number) => {
    const data = {
      report_id: `0192f6a0-0000-7000-8000-${String(n).padStart(12, '0')}`,
      tenant: n % 2 ? 'acme' : 'globex',
      reporter: 'acme',
      received_at: '2026-11-10T10:00:00.000Z',
      root: 'd'.repeat(64),
      records: [{ id: `r-${n}`, meter: 'runs', quantity: '1', time: '2026-11-10T09:00:00.000Z' }],
    }
    const id = `${data.report_id}/${data.tenant}`
    return toRecord(usageReported.create(data, { source: '//test', now: now(), id }), topics.usage)
  }
  const stored = () =>
    database.as('postgres').query<StoredReport>(`select ${REPORT_COLUMNS} from metering.reports order by report_id`)

  it('are found by where they stood when they were counted, until the log lets go of them', async () => {
    await bus.produce([1, 2, 3, 4, 5].map(reportOf))
    const counted = 'all are counted, once the group has its partitions'
    const reports = await eventually(
      counted,
      async () => {
        const found = await stored()
        return found.length === 5 && found
      },
      30_000,
    )
    for (const [at, report] of reports.entries())
      expect((await readReport(bus, report))?.data.records[0]?.id).to.equal(`r-${at + 1}`)
    await emptyTopics(admin, [topics.usage.name])
    await bus.produce([6, 7].map(reportOf))
    for (const report of reports) expect(await readReport(bus, report)).to.equal(null)
    const [first] = reports as [StoredReport]
    expect(await readReport(bus, { ...first, log_position: '812:34' }), 'of the other bus').to.equal(null)
    expect(await readReport(bus, { ...first, log_position: null }), 'counted before places were kept').to.equal(null)
  })
})
