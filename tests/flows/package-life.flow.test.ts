import { sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import type { RunningKafka } from '../../deploy/kafka/start.ts'
import {
  type Credentials,
  checkout,
  credentialsOf,
  eventually,
  freshHome,
  type Home,
  type RunningSystem,
  request,
  startSystem,
} from '../../reports/running-system.ts'
import { verifyWebhook } from '../../sdk/typescript/index.ts'
import { brokerForTests } from '../support/kafka.ts'
import { type Receiver, startReceiver } from '../support/webhook-receiver.ts'

type Violation = { rule_id: string; fingerprint: string; pointer: string }
type Shown = { status: string; reason: string; next_step: string }
type Told = { type: string; subject: string; data: { version: string; reason?: string } }

const NAME = 'life-of-a-package'
const INSTALLS = `    - name: install
      type: shell
      config: { command: "curl -fsSL https://get.example.com/tool.sh | bash" }
      timeout: 30s
      retry: { max_attempts: 1, backoff: 5s }
`

for (const bus of ['embedded', 'kafka'] as const)
  describe(`the life of a package, through HTTP, on the ${bus} bus`, function () {
    this.timeout(150_000)
    let home: Home
    let system: RunningSystem
    let orgs: Credentials['orgs']
    let kafka: RunningKafka | undefined
    let receiver: Receiver
    let secret = ''
    const ids = new Map<string, string>()
    const from: Record<string, string> = {}

    before(async function () {
      if (bus === 'kafka') kafka = await brokerForTests(this)
      receiver = await startReceiver()
      home = await freshHome()
      const env = { ATOM_WEBHOOK_PRIVATE: 'on', ...(kafka ? { KAFKA_BROKERS: kafka.brokers.join(',') } : {}) }
      system = await startSystem(home, env)
      orgs = (await credentialsOf(home)).orgs
      for (const who of ['demo', 'acme'] as const) from[who] = (await feed(who, 'latest')).next
      const webhook = await ask('POST', '/webhooks', orgs.demo.tokens.partner, { url: receiver.url('/told') })
      expect(webhook.status, JSON.stringify(webhook.body)).to.equal(201)
      secret = (webhook.body as { secret: string }).secret
    })
    after(async () => {
      await system?.stop('SIGTERM')
      await home?.remove()
      await receiver?.close()
      await kafka?.stop()
    })

    const ask = (method: string, path: string, token: string, body?: object) =>
      request(method, `${home.urls.marketplace}${path}`, { token, ...(body ? { body } : {}) })
    const feed = async (who: 'demo' | 'acme', cursor: string) => {
      const query = `cursor=${cursor}&types=wpk.*&limit=500`
      const { body } = await ask('GET', `/feed?${query}`, orgs[who].tokens.partner)
      return body as { events: Told[]; next: string }
    }
    const shown = async (version: string, token = orgs.demo.tokens.partner) =>
      (await ask('GET', `/wpk/${ids.get(version)}`, token)).body as Shown
    const becomes = (version: string, status: string) =>
      eventually(
        () => shown(version),
        (one) => one.status === status,
      )
    const review = (version: string, body: object) =>
      ask('POST', `/wpk/review/${ids.get(version)}`, orgs.atom.tokens.reviewer as string, body)

    async function publish(version: string): Promise<void> {
      const text = (await readFile(`${checkout}docs/examples/restart-workers.yaml`, 'utf8'))
        .replace('name: restart-workers', `name: ${NAME}`)
        .replace('version: 1.2.0', `version: ${version}`)
        .replace('    - name: recent-events\n', `${INSTALLS}    - name: recent-events\n`)
      const signature = sign('sha256', Buffer.from(text), await readFile(orgs.demo.private_key_path, 'utf8'))
      const body = { content: text, media_type: 'application/yaml', signature: signature.toString('base64') }
      const uploaded = await ask('POST', '/wpk/upload', orgs.demo.tokens.partner, body)
      expect(uploaded.status, JSON.stringify(uploaded.body)).to.equal(202)
      ids.set(version, (uploaded.body as { id: string }).id)
    }

    async function installing(version: string): Promise<Violation> {
      const { body } = await ask('GET', `/wpk/${ids.get(version)}/verdict`, orgs.demo.tokens.partner)
      const found = (body as { violations: Violation[] }).violations.find((one) => one.rule_id === 'WPK-P2-005')
      return found as Violation
    }

    it('is held after its upload, and its publisher sees why and where', async () => {
      await publish('1.0.0')
      const held = await becomes('1.0.0', 'in_review')
      expect(held.reason).to.contain('WPK-P2-005')
      expect(held.next_step).to.be.a('string')
      expect((await installing('1.0.0')).pointer).to.match(/^\/spec\/handlers\/1\/config\/command/)
      expect((await ask('GET', `/wpk/${ids.get('1.0.0')}`, orgs.acme.tokens.partner)).status).to.equal(404)
    })

    it('is sent back for changes, with the reason', async () => {
      const decided = await review('1.0.0', {
        decision: 'request_changes',
        justification: 'Say what tool.sh installs.',
      })
      expect(decided.status, JSON.stringify(decided.body)).to.equal(200)
      expect(await shown('1.0.0')).to.deep.include({
        status: 'changes_requested',
        reason: 'Say what tool.sh installs.',
      })
    })

    it('is published once a person approves the next version, and remembers what was accepted', async () => {
      await publish('1.0.1')
      await becomes('1.0.1', 'in_review')
      const { fingerprint } = await installing('1.0.1')
      const expires_at = new Date(Date.now() + 30 * 86_400_000).toISOString()
      const accept = [{ fingerprint, expires_at, owner: 'platform team', reason: 'Our own installer.' }]
      const decided = await review('1.0.1', { decision: 'approve', justification: 'Read it whole.', accept })
      expect(decided.status, JSON.stringify(decided.body)).to.equal(200)
      await becomes('1.0.1', 'published')
      expect((await ask('GET', `/wpk/${ids.get('1.0.1')}`, orgs.acme.tokens.partner)).status).to.equal(200)
    })

    it('is not held again for the finding that was accepted', async () => {
      await publish('1.1.0')
      const published = await becomes('1.1.0', 'published')
      expect(published.reason).to.contain('1 accepted finding(s) did not count')
    })

    it('is deprecated by its publisher, and blocked by the marketplace', async () => {
      const old = { reason: 'Use 1.1.0.' }
      expect((await ask('POST', `/wpk/${ids.get('1.0.1')}/deprecate`, orgs.demo.tokens.partner, old)).status).to.equal(
        200,
      )
      expect(await shown('1.0.1', orgs.acme.tokens.partner)).to.deep.include({ status: 'deprecated' })
      const reviewer = orgs.atom.tokens.reviewer as string
      const why = { reason: 'Its installer was taken over.' }
      expect((await ask('POST', `/wpk/${ids.get('1.1.0')}/block`, reviewer, why)).status).to.equal(200)
      expect(await shown('1.1.0')).to.deep.include({ status: 'blocked', reason: why.reason })
      expect((await ask('GET', `/wpk/${ids.get('1.1.0')}`, orgs.acme.tokens.partner)).status).to.equal(404)
      const listed = await ask('GET', `/wpk/list?q=${NAME}`, orgs.acme.tokens.partner)
      const versions = (listed.body as { wpks: { version: string }[] }).wpks.map(({ version }) => version)
      expect(versions).to.deep.equal(['1.0.1'])
    })

    const LIFE = [
      ...['submitted 1.0.0', 'verdict 1.0.0', 'reviewed 1.0.0'],
      // The version that takes the place of one that was sent back ends it.
      ...['submitted 1.0.1', 'rejected 1.0.0', 'verdict 1.0.1', 'reviewed 1.0.1', 'published 1.0.1'],
      ...['submitted 1.1.0', 'verdict 1.1.0', 'published 1.1.0'],
      ...['deprecated 1.0.1', 'blocked 1.1.0'],
    ]
    const lifeIn = (events: readonly Told[]) =>
      events.filter(({ subject }) => subject === NAME).map(({ type, data }) => `${type.slice(4)} ${data.version}`)

    it('is in its publisher’s feed whole and in order, and in that of others as far as it was public', async () => {
      const all = await eventually(
        () => feed('demo', from.demo as string),
        ({ events }) => lifeIn(events).length >= LIFE.length,
      )
      expect(lifeIn(all.events)).to.deep.equal(LIFE)
      const others = await eventually(
        () => feed('acme', from.acme as string),
        ({ events }) => lifeIn(events).length >= 4,
      )
      expect(lifeIn(others.events)).to.deep.equal(LIFE.filter((one) => /^(published|deprecated|blocked)/.test(one)))
    })

    it('was told to its publisher’s webhook, each event once and signed', async () => {
      const told = await eventually(
        async () => receiver.at('/told'),
        (calls) => calls.length >= LIFE.length,
        60_000,
      )
      const events = told.map(({ body, headers }) => verifyWebhook(body, headers, secret) as unknown as Told)
      expect(lifeIn(events).toSorted()).to.deep.equal(LIFE.toSorted())
    })
  })
