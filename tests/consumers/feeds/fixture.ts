import type { FeedDeps } from '../../../consumers/feeds/deps.ts'
import { feedHandlers, feedRoutes } from '../../../consumers/feeds/index.ts'
import { openBox } from '../../../consumers/feeds/webhooks/open-box.ts'
import { openSender, type Sender } from '../../../consumers/feeds/webhooks/sender.ts'
import type { ApiScope, Role } from '../../../platform/auth/principal.ts'
import { toRecord } from '../../../platform/bus/binary-mode.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import type { EventDefinition } from '../../../schemas/define-event.ts'
import type { Envelope } from '../../../schemas/envelope.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { openOrganisations } from '../../support/organisations.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type CallOptions, type Json, startService } from '../../support/service.ts'

/** The feed and the webhooks as a service on a database of its own, reading a real bus; calls are made by `send`. */
export async function openFeedWorld() {
  const clock = testClock('2026-11-02T10:00:00Z')
  const database = await freshDatabase()
  const organisations = await openOrganisations(database, ['demo', 'acme'], clock)
  const { log, lines } = recordingLog()
  const allOrgs = database.as('atom_feeds')
  const deps: FeedDeps = {
    db: database.as('atom_app'),
    allOrgs,
    now: clock,
    random: () => 0.5,
    log,
    box: await openBox(allOrgs, undefined),
    addresses: { allowPrivate: true },
  }
  const bus = openEmbeddedBus({ server: database.server, log, appender: deps.db, dbFor: () => allOrgs })
  const handlers = feedHandlers({ now: clock })
  const consuming = await runConsumer({
    ...{ bus, db: allOrgs, group: 'feeds', handlers, log },
    ...{ metrics: createMetrics(), now: clock, backoffMs: [] },
  })
  const service = await startService(feedRoutes(deps), organisations.authenticate)
  const token = (org: string, ...roles: Role[]) => organisations.token(org, ...roles)
  const tokens = {
    demo: await token('demo', 'partner'),
    acme: await token('acme', 'tenant'),
    finance: await token('atom', 'finance'),
    reader: await organisations.apiKey('demo', 'read'),
    publisher: await organisations.apiKey('demo', 'publish' as ApiScope),
  }
  const sender: Sender = openSender(deps)
  const owner = <R>(sql: string, bindings: readonly unknown[] = []) => database.as('postgres').query<R>(sql, bindings)

  return {
    clock,
    database,
    deps,
    lines,
    tokens,
    owner,
    sender,
    call: <B = Json>(method: string, path: string, options?: CallOptions) => service.call<B>(method, path, options),
    url: service.url,
    /** Publishes one event and waits until the group has it. */
    async happen<D>(definition: EventDefinition<D>, change: Partial<D> = {}): Promise<Envelope<D>> {
      const event = definition.create({ ...definition.example, ...change }, { source: '//test', now: clock() })
      await bus.produce([toRecord(event, definition.topic)])
      await eventually('it is applied', async () => (await consuming.lag()).every(({ records }) => records === 0))
      return event
    },
    /** Makes every call that is due now, and waits for its end. */
    async send(): Promise<void> {
      await sender.tick()
      await sender.idle()
    },
    async close() {
      await consuming.stop()
      await service.close()
      await bus.close()
      await organisations.close()
      await database.drop()
    },
  }
}
export type FeedWorld = Awaited<ReturnType<typeof openFeedWorld>>
