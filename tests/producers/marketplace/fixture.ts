import { expect } from 'chai'
import type { Role } from '../../../platform/auth/principal.ts'
import type { Consuming } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { emit, ok } from '../../../platform/bus/outcome.ts'
import { handler, runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { countDownloads } from '../../../producers/marketplace/catalog/downloads.ts'
import { marketplaceHandlers, marketplaceRoutes } from '../../../producers/marketplace/index.ts'
import { reading } from '../../../producers/marketplace/reading/reading.ts'
import { keepRecord } from '../../../producers/marketplace/record/keep-record.ts'
import { publicTrustRoot, type TrustRoot } from '../../../producers/marketplace/trust/trust-root.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../../schemas/events/wpk.verdict.ts'
import type { PolicyDocument } from '../../../schemas/policy/policy-document.ts'
import type { Verdict } from '../../../schemas/verdict.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { openOrganisations, type SigningKey } from '../../support/organisations.ts'
import { type Change, packageBytes, uploadOf } from '../../support/packages.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { registryKey } from '../../support/registry-key.ts'
import { type CallOptions, type Json, type Reply, startService } from '../../support/service.ts'

export type Problem = { code: string; detail: string; errors: { pointer: string; code: string }[] }
export type Uploaded = {
  id: string
  name: string
  version: string
  digest: string
  status: string
  status_url: string
  expected_decision_at: string
}

/** The marketplace as a service on a database of its own, with two partners, a tenant's view and two reviewers. */
export async function openMarketplace(trustRoot: () => TrustRoot = publicTrustRoot) {
  const clock = testClock('2026-11-02T10:00:00Z')
  // Beside the rest: a thread takes its time to start.
  const ready = reading.ready()
  const database: TestDatabase = await freshDatabase()
  const organisations = await openOrganisations(database, ['demo', 'acme'], clock)
  const app = database.as('atom_app')
  const all = database.as('atom_marketplace')
  const { log, lines } = recordingLog()
  const key = registryKey()
  const bus = openEmbeddedBus({ server: database.server, log, appender: app, dbFor: () => all })
  const deps = {
    db: app,
    wake: bus.wake,
    now: clock,
    publicUrl: () => 'http://market.test',
    reviewTargetHours: 24,
    trustRoot,
    registryKey: key,
    memberIssuers: ['https://people.test', 'https://others.test'],
  }
  const downloads = countDownloads({ db: all, now: clock })
  const service = await startService(marketplaceRoutes(deps, all, downloads), organisations.authenticate)
  const token = async (org: string, ...roles: Role[]) => organisations.token(org, ...roles)
  const tokens = {
    demo: await token('demo', 'partner'),
    demoTenant: await token('demo', 'tenant'),
    acme: await token('acme', 'partner'),
    reviewer: await token('atom', 'reviewer'),
    other: await token('atom', 'reviewer', 'data'),
    admin: await token('atom', 'admin'),
  }
  const keys = { demo: await organisations.signingKey('demo'), acme: await organisations.signingKey('acme') }
  const consumers: Consuming[] = []
  await ready

  const call = <B = Json>(method: string, path: string, options?: CallOptions): Promise<Reply<B>> =>
    service.call<B>(method, path, options)

  async function upload(
    change: Change = {},
    by: 'demo' | 'acme' = 'demo',
    key: SigningKey = keys[by],
  ): Promise<Uploaded> {
    const { status, body } = await call<Uploaded>('POST', '/wpk/upload', {
      as: tokens[by],
      json: uploadOf(packageBytes(change), key),
    })
    expect(status, JSON.stringify(body)).to.equal(202)
    return body
  }

  /** Everything that an upload could leave behind. */
  async function stored(): Promise<Record<string, number>> {
    const tables = [
      'marketplace.names',
      'marketplace.versions',
      'marketplace.decisions',
      'platform.artifacts',
      'platform.event_log',
    ]
    const counts = tables.map((name) => `(select count(*)::int from ${name}) as "${name}"`)
    return (await database.as('postgres').query<Record<string, number>>(`select ${counts.join(', ')}`))[0] as Record<
      string,
      number
    >
  }

  /** Runs the marketplace's consumer and an analyzer that says what the test says of each package. */
  async function judging(say: (name: string, digest: string) => Verdict, policy?: PolicyDocument): Promise<void> {
    const judge = handler({
      name: 'test.analyzer',
      on: wpkSubmitted,
      emits: [wpkVerdict],
      handle: async (event) => {
        const { id, org, name, version, digest } = event.data
        const verdict = say(name, digest)
        return ok(
          emit(
            wpkVerdict,
            wpkVerdict.create(
              { id, org, name, version, digest, verdict },
              { source: '//test', now: clock(), causedBy: event },
            ),
          ),
        )
      },
    })
    const shared = { bus, db: all, log, metrics: createMetrics(), now: clock }
    consumers.push(await runConsumer({ ...shared, group: 'test-analyzer', handlers: [judge] }))
    consumers.push(
      await runConsumer({ ...shared, group: 'marketplace', handlers: marketplaceHandlers({ now: clock }, policy) }),
    )
  }

  /** Signs and records what happened so far. */
  const keepRecordNow = () => keepRecord({ db: all, key, now: clock })

  const statusBecomes = (id: string, status: string) =>
    eventually(`${id} is ${status}`, async () => {
      const { body } = await call('GET', `/wpk/${id}`, { as: tokens.admin })
      return body.status === status && body
    })

  return {
    clock,
    database,
    organisations,
    deps,
    service,
    tokens,
    keys,
    lines,
    call,
    upload,
    stored,
    judging,
    statusBecomes,
    downloads,
    registryKey: key,
    keepRecord: keepRecordNow,
    async close() {
      await Promise.all(consumers.map((one) => one.stop()))
      await service.close()
      await bus.close()
      await organisations.close()
      await database.drop()
    },
  }
}
export type Marketplace = Awaited<ReturnType<typeof openMarketplace>>

/** A verdict that the default policy lets a machine act on, or as changed. */
export const verdictOf = (digest: string, change: Partial<Verdict> = {}): Verdict => ({
  risk_score: 0.1,
  decision: 'pass',
  violations: [],
  capabilities: [],
  digest,
  ruleset: '1.0.0',
  model: null,
  checks: [{ name: 'rules', version: '1', status: 'ran' }],
  ...change,
})
