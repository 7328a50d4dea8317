import { analyticsHandlers } from '../../../consumers/analytics/index.ts'
import type { MeteringDeps } from '../../../consumers/metering/deps.ts'
import { meteringHandlers } from '../../../consumers/metering/index.ts'
import { issueDue } from '../../../consumers/metering/issue.ts'
import { creditInvoice } from '../../../consumers/metering/life/acts.ts'
import { refreshStale } from '../../../consumers/metering/refresh.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { type Handler, runConsumer } from '../../../platform/bus/runner.ts'
import { type Db, rows } from '../../../platform/db.ts'
import { decimal } from '../../../platform/decimal.ts'
import { silentLog } from '../../../platform/log.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { type Topic, topicList, topics } from '../../../schemas/topics.ts'
import { type TestClock, testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'
import type { RecordedEvent, RecordedLog } from './recorded-log.ts'

/** `results`: one line a row, tables in a fixed order. `invoices`: the billing events metering made on the way. */
export type Replayed = { results: string; invoices: RecordedEvent[] }
type Side = { database: TestDatabase; bus: Bus; clock: TestClock; drained(): Promise<void> }

/** Table, and its columns that are new with every run. */
const METERING: [table: string, random: string][] = [
  ['metering.packages', ''],
  ['metering.package_versions', ''],
  ['metering.rollups', ''],
  ['metering.used_versions', ''],
  ['metering.quarantines', ''],
  ['metering.reports', 'log_position'],
  ['metering.exceptions', ''],
  ['metering.invoices', ''],
  ['metering.late_periods', ''],
  ['metering.invoice_life', ''],
  ['metering.credit_notes', ''],
  ['metering.credit_note_shares', ''],
  ['metering.ledger', 'posting_id'],
]
const READ: [table: string, random: string][] = [
  ['read.packages', ''],
  ['read.revenue', ''],
  ['read.credits', ''],
  ['read.usage', ''],
]

/** Replays the log into fresh databases: metering from what was reported, analytics from everything that was said. */
export async function replay(log: RecordedLog): Promise<Replayed> {
  const metering = await onSide(
    'metering',
    (clock) => meteringHandlers(createMetrics(), { now: clock }),
    async (side) => {
      await setUp(side.database.as('postgres'), log.setup)
      await meter(side, log.events)
      return { results: await dump(side, METERING), invoices: await billingEvents(side) }
    },
  )
  const analytics = await onSide('analytics', analyticsHandlers, async (side) => {
    await send(side, log.events)
    return dump(side, READ)
  })
  return { results: metering.results + analytics, invoices: metering.invoices }
}

/** The reason is in the note's bytes, and what is said of it carries their hash only. */
export const CREDIT_REASON = 'an outage'

type CreditNoteSaid = { tenant: string; invoice_id: string; total: string }

async function creditAgain(deps: MeteringDeps, { tenant, invoice_id, total }: CreditNoteSaid): Promise<void> {
  await creditInvoice({ deps, tenant, id: invoice_id, by: 'replay' }, { amount: decimal(total) }, CREDIT_REASON, null)
}

/** Reports are counted in the month they were reported in; where metering rated or issued, it does so again. */
async function meter(side: Side, events: readonly RecordedEvent[]): Promise<void> {
  const { database, clock, bus } = side
  const allTenants = database.as('atom_metering')
  const rules = { now: clock, partnerSharePercent: '80', collectionHours: 1, paymentDays: 30 }
  const unused = { db: allTenants, wake: () => {}, bus, log: silentLog, failing: new Map<string, string>() }
  const deps = { ...unused, ...rules, allTenants }
  let waiting: RecordedEvent[] = []
  let acted = ''
  for (const event of events) {
    const { ce_type: type, ce_time: time = '' } = event.headers
    if (event.topic !== topics.billing.name) {
      const [before] = waiting
      // A receipt says what was known of a version when its usage was counted: topics take their turns as they did.
      if (before?.headers.ce_time?.slice(0, 7) !== time.slice(0, 7) || before?.topic !== event.topic)
        waiting = await counted(waiting)
      waiting.push(event)
      continue
    }
    waiting = await counted(waiting)
    // One act announces every invoice it changed, all at one time.
    if (`${type} ${time}` === acted) continue
    acted = `${type} ${time}`
    clock.set(time)
    if (type === 'credit_note.issued') await creditAgain(deps, JSON.parse(event.value) as CreditNoteSaid)
    else if (type === 'invoice.issued') await issueDue(deps)
    else await refreshStale(deps)
  }
  await counted(waiting)

  async function counted(some: RecordedEvent[]): Promise<RecordedEvent[]> {
    const last = some.at(-1)
    if (last) clock.set(last.headers.ce_time as string)
    await send(side, some)
    return []
  }
}

async function send({ bus, drained }: Side, events: readonly RecordedEvent[]): Promise<void> {
  await bus.produce(
    events.map(({ topic, key, headers, value }) => ({
      topic: topicOf(topic),
      key,
      headers,
      value: Buffer.from(value),
    })),
  )
  await drained()
}

async function onSide<R>(
  group: string,
  handlers: (clock: TestClock) => readonly Handler[],
  work: (side: Side) => Promise<R>,
) {
  const database = await freshDatabase()
  const { log, lines } = recordingLog()
  const clock = testClock('2026-01-01T00:00:00Z')
  const db = database.as(`atom_${group}`)
  const bus = openEmbeddedBus({ server: database.server, log, appender: database.as('atom_app'), dbFor: () => db })
  const consuming = await runConsumer({
    bus,
    db,
    group,
    handlers: handlers(clock),
    log,
    metrics: createMetrics(),
    now: clock,
  })
  const drained = async () => {
    await eventually(
      `${group} has read everything`,
      async () => (await consuming.lag()).every(({ records }) => records === 0),
      20_000,
    )
  }
  try {
    const done = await work({ database, bus, clock, drained })
    const dead = lines.find(({ level }) => level === 'error')
    if (dead) throw new Error(`${group}: ${dead.message} ${JSON.stringify(dead.fields)}`)
    return done
  } finally {
    await consuming.stop()
    await bus.close()
    await database.drop()
  }
}

async function setUp(owner: Db, setup: RecordedLog['setup']): Promise<void> {
  for (const { table, row } of setup)
    await owner.query(`insert into ${table} select * from jsonb_populate_record(null::${table}, ?::jsonb)`, [row])
}

/** As text from the database: its decimals and times must not pass through JavaScript's. */
async function dump({ database }: Side, tables: readonly [string, string][]): Promise<string> {
  const lines: string[] = []
  for (const [table, random] of tables) {
    const found = await database.as('postgres').transaction(async (tx) => {
      await rows(tx, "select set_config('timezone', 'UTC', true)")
      // The exact bytes of an invoice, legible: a changed cent should be seen in the difference of two files.
      const body = table === 'metering.invoices' ? "|| jsonb_build_object('body', convert_from(t.body, 'utf8'))" : ''
      return rows<{ row: string }>(tx, `select ((to_jsonb(t) - ?) ${body})::text as row from ${table} t order by 1`, [
        random,
      ])
    })
    lines.push(...found.map(({ row }) => `${table} ${row}\n`))
  }
  return lines.join('')
}

const billingEvents = ({ database }: Side): Promise<RecordedEvent[]> =>
  database
    .as('postgres')
    .query<RecordedEvent>(
      "select topic, key, headers, convert_from(value, 'utf8') as value from platform.event_log where topic = ? order by xid, pos",
      [topics.billing.name],
    )

function topicOf(name: string): Topic {
  const found = topicList.find((topic) => topic.name === name)
  if (!found) throw new Error(`the log has a record of ${name}, which is no topic any more`)
  return found
}
