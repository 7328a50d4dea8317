import { expect } from 'chai'
import { analyticsHandlers, projections } from '../../../consumers/analytics/index.ts'
import { meteringHandlers } from '../../../consumers/metering/index.ts'
import { usageRecount } from '../../../consumers/metering/recount.ts'
import { toRecord } from '../../../platform/bus/binary-mode.ts'
import type { Bus, Consuming } from '../../../platform/bus/bus.ts'
import { runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import type { ReplayGroup } from '../../../platform/replay/replay.ts'
import { runReplays } from '../../../platform/replay/replay-worker.ts'
import { dataRoutes } from '../../../producers/data/index.ts'
import { marketplaceHandlers } from '../../../producers/marketplace/index.ts'
import type { EventDefinition } from '../../../schemas/define-event.ts'
import type { Envelope } from '../../../schemas/envelope.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../../schemas/events/wpk.rejected.ts'
import { wpkReviewed } from '../../../schemas/events/wpk.reviewed.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../../schemas/events/wpk.verdict.ts'
import type { TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { openOrganisations } from '../../support/organisations.ts'
import { recordingLog } from '../../support/recording-log.ts'
import type { ReplayProcess } from '../../support/replay-process.ts'
import { type Json, startService } from '../../support/service.ts'

/** A bus with a database of its own. */
export type ReplayBackend = {
  bus: Bus
  database: TestDatabase
  brokers: string[] | null
  empty(): Promise<void>
  close(): Promise<void>
}
export type Replayed = {
  id: string
  kind: string
  state: string
  done: number
  applied: number
  left: number
  left_out: number
  total: number
  rate_per_second: number | null
  seconds_left: number | null
  note: string | null
  result: Json & {
    equal: boolean
    tables: {
      live: { rows: number; sha256: string }
      shadow: { rows: number; sha256: string }
      only_live: number
      only_shadow: number
    }[]
  }
}
export type Planned = {
  executed: boolean
  replay: Replayed
  plan: {
    events: number
    complete: boolean
    types: { topic: string; type: string; handled: boolean; events: number; already_applied: number }[]
    first_recorded_at: string | null
    tables: string[]
    emits: string[]
    handlers: { name: string }[]
    warnings: string[]
    refused: string | null
  }
}
type Definition<D> = EventDefinition<D>

/** Analytics and metering at work on one backend, with the data service in front of them. */
export async function openReplayWorld(backend: ReplayBackend) {
  const { bus, database, brokers } = backend
  const now = () => new Date()
  const { log, lines } = recordingLog()
  const metrics = createMetrics()
  const analytics: ReplayGroup = { group: 'analytics', handlers: analyticsHandlers(), projections }
  const metering: ReplayGroup = {
    group: 'metering',
    handlers: meteringHandlers(metrics, { now }),
    recount: usageRecount,
  }
  const marketplace: ReplayGroup = { group: 'marketplace', handlers: marketplaceHandlers({ now }) }
  const organisations = await openOrganisations(database, ['demo', 'acme'], now)
  const groups = [analytics, metering, marketplace]
  const service = await startService(
    dataRoutes({ bus, db: database.as('atom_data'), now, groups }),
    organisations.authenticate,
  )
  const as = await organisations.token('atom', 'data')
  const workers: { stop(): Promise<void> }[] = []
  const live: Consuming[] = []
  for (const { group, handlers } of [analytics, metering])
    live.push(
      await runConsumer({ bus, db: database.as(`atom_${group}`), group, handlers, log, metrics, now, redriveMs: 10 }),
    )

  let made = 0
  function create<D>(definition: Definition<D>, change: Partial<D> = {}): Envelope<D> {
    made += 1
    return definition.create(
      { ...definition.example, ...change },
      { source: '//test', id: `e-${made}`, now: new Date(Date.now() - 60_000 + made) },
    )
  }
  const produce = (...events: [EventDefinition, Envelope][]) =>
    bus.produce(events.map(([definition, event]) => toRecord(event, definition.topic)))
  const send = <D>(definition: Definition<D>, change: Partial<D> = {}) =>
    produce([definition as EventDefinition, create(definition, change)])
  /** Waits until both groups have applied everything. */
  const read = async () => {
    bus.wake()
    await eventually(
      'everything is read',
      async () => (await Promise.all(live.map((one) => one.lag()))).flat().every(({ records }) => records === 0),
      20_000,
    )
  }
  /** A package from upload to a decision, and an invoice of its tenant; `n` says which way they go. */
  async function life(n: number): Promise<void> {
    const id = `0192f6a0-0000-7000-8000-${String(n).padStart(12, '0')}`
    const of = { id, name: `package-${n}`, org: n % 2 ? 'demo' : 'acme' }
    const decision = n % 3 === 0 ? 'reject' : n % 3 === 1 ? 'approve' : 'request_changes'
    const cents = (n * 7_919) % 1_000
    const shares = [
      { partner: 'demo', gross: `${cents}.50`, partner_share: `${cents}`, platform_fee: '0.50', tax: '0' },
    ]
    const usage = [{ meter: 'runs', package: `package-${n % 5}`, quantity: String(cents), amount: `${cents}.50` }]
    const invoice = { tenant: `tenant-${n % 7}`, period: `2026-0${1 + (n % 9)}`, shares, usage }
    await send(wpkSubmitted, of)
    await send(wpkVerdict, of)
    await send(invoiceUpdated, invoice)
    await send(wpkReviewed, { ...of, decision })
    if (decision === 'approve') await send(wpkPublished, of)
    if (decision === 'reject') await send(wpkRejected, of)
    if (n % 4 === 0) await send(invoiceIssued, { ...invoice, number: `ATOM-${n}` } as never)
  }
  const owner = <R = Json>(sql: string, bindings: unknown[] = []) => database.as('postgres').query<R>(sql, bindings)
  /** One text that says everything a table holds. */
  const contents = async (table: string): Promise<string> =>
    (
      await owner<{ all: string }>(
        `select coalesce(string_agg(t::text, chr(10) order by t::text), '') as all from ${table} t`,
      )
    )[0]?.all ?? ''
  const post = <B = Planned>(path: string, json: object = {}, token = as) =>
    service.call<B>('POST', `/data/${path}`, { as: token, json })
  const get = async <B = Replayed>(path: string) => (await service.call<B>('GET', `/data/${path}`, { as })).body

  return {
    ...backend,
    organisations,
    service,
    as,
    log: lines,
    create,
    produce,
    send,
    read,
    life,
    usage: (tenant: string, records: { id: string; quantity: string; time: string }[]) =>
      send(usageReported, {
        tenant,
        reporter: tenant,
        records: records.map((one) => ({ meter: 'runs', ...one })),
      } as never),
    owner,
    contents,
    post,
    get,
    /** Begins the work of both groups; `maxRecords` makes it slow. */
    work(maxRecords = 500) {
      for (const group of [analytics, metering])
        workers.push(
          runReplays({
            bus,
            db: database.as(`atom_${group.group}`),
            group,
            log,
            now,
            everyMs: 10,
            backoffMs: [],
            maxRecords,
          }),
        )
    },
    async rest() {
      await Promise.all(workers.splice(0).map((one) => one.stop()))
    },
    process: (fault: string, maxRecords: number): ReplayProcess => ({
      server: database.server,
      brokers,
      fault,
      maxRecords,
    }),
    /** Begins what is asked for and returns its id. */
    async begin(path: string, json: object = {}): Promise<string> {
      const { status, body } = await post(path, { ...json, execute: true })
      expect(status, JSON.stringify(body)).to.equal(202)
      return body.replay.id
    },
    ended: (id: string, ...states: string[]) =>
      eventually(
        `replay ${id} is ${states.join(' or ')}`,
        async () => {
          const found = await get(`replays/${id}`)
          return states.includes(found.state) && found
        },
        20_000,
      ),
    async close() {
      await Promise.all(workers.map((one) => one.stop()))
      await Promise.all(live.map((one) => one.stop()))
      await service.close()
      await organisations.close()
      await backend.close()
    },
  }
}
export type ReplayWorld = Awaited<ReturnType<typeof openReplayWorld>>
