import { generateKeyPairSync, sign } from 'node:crypto'
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
  type Member,
  type RunningSystem,
  request,
  startSystem,
} from '../../reports/running-system.ts'
import { adminOf, brokerForTests } from '../support/kafka.ts'

type Health = { checks: { name: string; detail?: string }[] }
type Line = { package?: string; meter?: string; quantity?: string; unit_price?: string; amount: string }
type Invoice = { status: string; lines: Line[]; subtotal: string; tax: string; total: string; number?: string }

for (const bus of ['embedded', 'kafka'] as const)
  describe(`the whole flow, in the real process, on the ${bus} bus`, function () {
    this.timeout(150_000)
    let home: Home
    let system: RunningSystem
    let orgs: Credentials['orgs']
    let kafka: RunningKafka | undefined
    let env: Record<string, string> = {}

    before(async function () {
      if (bus === 'kafka') {
        kafka = await brokerForTests(this)
        env = { KAFKA_BROKERS: kafka.brokers.join(',') }
      }
      home = await freshHome()
      system = await startSystem(home, env)
      orgs = (await credentialsOf(home)).orgs
    })
    after(async () => {
      await system?.stop('SIGTERM')
      await home?.remove()
      await kafka?.stop()
    })

    const market = (path: string) => `${home.urls.marketplace}${path}`
    const billing = (path: string) => `${home.urls.billing}${path}`
    const invoiceOf = async (tenant: 'demo' | 'acme', period?: string): Promise<Invoice> => {
      const query = period ? `?period=${period}` : ''
      return (
        await request('GET', billing(`/billing/invoice/${tenant}${query}`), { token: orgs[tenant].tokens.tenant })
      ).body
    }

    async function example(version: string, name: string): Promise<Buffer> {
      const text = await readFile(`${checkout}docs/examples/requeue-failed-jobs.yaml`, 'utf8')
      return Buffer.from(
        text.replace('version: 0.4.0', `version: ${version}`).replace('name: requeue-failed-jobs', `name: ${name}`),
      )
    }

    async function upload(member: Member, bytes: Buffer, more: object = {}) {
      const signature = sign('sha256', bytes, await readFile(member.private_key_path, 'utf8')).toString('base64')
      const body = { content: bytes.toString('base64'), content_encoding: 'base64', signature, ...more }
      return request('POST', market('/wpk/upload'), { token: member.tokens.partner, body })
    }

    for (const [seller, buyer] of [
      ['demo', 'acme'],
      ['acme', 'demo'],
    ] as const) {
      it(`takes a package of ${seller} from upload to a line on ${buyer}'s invoice`, async () => {
        const name = `flow-of-${seller}`
        const uploaded = await upload(orgs[seller], await example('1.0.0', name))
        expect(uploaded.status, JSON.stringify(uploaded.body)).to.equal(202)
        const { id, status_url } = uploaded.body as { id: string; status_url: string }
        expect(status_url).to.equal(market(`/wpk/${id}`))

        const read = () => request('GET', market(`/wpk/${id}`), { token: orgs[seller].tokens.partner })
        await eventually(read, ({ body }) => (body as { status: string }).status === 'in_review')
        const verdict = (await request('GET', market(`/wpk/${id}/verdict`), { token: orgs[seller].tokens.partner }))
          .body as {
          violations: { rule_id: string; pointer: string }[]
        }
        expect(verdict.violations.map((one) => one.rule_id)).to.include('WPK-P3-001')
        const stranger = await request('GET', market(`/wpk/${id}`), { token: orgs[buyer].tokens.partner })
        expect(stranger.status).to.equal(404)

        const review = { decision: 'approve', justification: 'read it whole' }
        const reviewer = orgs.atom.tokens.reviewer as string
        const decided = await request('POST', market(`/wpk/review/${id}`), { token: reviewer, body: review })
        expect(decided).to.have.nested.property('body.status', 'approved')
        await eventually(read, ({ body }) => (body as { status: string }).status === 'published')
        const again = await request('POST', market(`/wpk/review/${id}`), { token: reviewer, body: review })
        expect(again).to.include({ status: 409 })

        const charges = [
          { id: 'runs', meter: 'flow_runs', model: 'per_unit', unit_amount: '0.07' },
          {
            id: 'bytes',
            meter: 'flow_bytes',
            model: 'graduated',
            tiers: [
              { up_to: '100', unit_amount: '0.5' },
              { up_to: null, unit_amount: '0.125' },
            ],
          },
        ]
        const plan = { name: `flow ${seller}`, currency: 'USD', charges }
        const made = await request('POST', billing('/billing/plans'), {
          token: orgs[seller].tokens.partner,
          body: plan,
        })
        expect(made.status, JSON.stringify(made.body)).to.equal(201)
        const plan_id = (made.body as { id: string }).id
        const subscribe = () =>
          request('POST', billing('/billing/subscriptions'), {
            token: orgs[buyer].tokens.tenant,
            body: { package: name, plan_id },
          })
        const subscribed = await eventually(subscribe, ({ status }) => status !== 404)
        expect(subscribed.status, JSON.stringify(subscribed.body)).to.equal(201)

        const before = await invoiceOf(buyer)
        const time = new Date().toISOString()
        const records = [
          { id: `${name}-1`, meter: 'flow_runs', quantity: '10', time, package: name },
          { id: `${name}-2`, meter: 'flow_runs', quantity: 3, time, package: `${name}@1.0.0` },
          { id: `${name}-1`, meter: 'flow_runs', quantity: '10', time, package: name },
          { id: `${name}-2`, meter: 'flow_runs', quantity: '99', time, package: name },
          { id: `${name}-3`, meter: 'flow_bytes', quantity: '140.2', time },
          { id: `${name}-4`, meter: 'unheard_of', quantity: '1', time },
          { id: `${name}-5`, meter: 'flow_runs', quantity: 0.1, time },
        ]
        const reported = await request('POST', billing('/usage/report'), {
          token: orgs[buyer].api_key,
          body: { records },
        })
        expect(reported.status).to.equal(202)
        const report = reported.body as {
          report_id: string
          accepted: number
          rejected: { index: number; code: string }[]
        }
        expect(report.accepted).to.equal(6)
        expect(report.rejected).to.have.length(1)
        expect(report.rejected[0]).to.include({ index: 6, code: 'quantity_inexact' })
        const receipt = await eventually(
          () => request('GET', billing(`/usage/receipts/${report.report_id}`), { token: orgs[buyer].tokens.tenant }),
          ({ status }) => status === 200,
        )
        const statuses = (receipt.body as { records: { status: string }[] }).records.map((one) => one.status)
        expect(statuses).to.deep.equal(['counted', 'counted', 'duplicate', 'conflict', 'counted', 'unpriced'])

        // By hand: 13 × 0.07 = 0.91; 100 × 0.5 + 40.2 × 0.125 = 50 + 5.025 = 55.025, which rounds to 55.03.
        const after = await invoiceOf(buyer)
        const line = (meter: string) => after.lines.find((one) => one.meter === meter && one.package === name)
        expect(line('flow_runs')).to.include({ quantity: '13', unit_price: '0.07', amount: '0.91' })
        expect(line('flow_bytes')).to.include({ quantity: '140.2', amount: '55.03' })
        const cents = (amount: string) => Math.round(Number(amount) * 100)
        expect(cents(after.subtotal) - cents(before.subtotal)).to.equal(91 + 5503)
        expect(after.lines.reduce((sum, one) => sum + cents(one.amount), 0)).to.equal(cents(after.subtotal))
        expect(cents(after.subtotal) + cents(after.tax)).to.equal(cents(after.total))
        await eventually(
          () => request('GET', `${home.urls.portal}/analytics/usage`, { token: orgs[buyer].tokens.tenant }),
          ({ body }) =>
            (body as { rows: { meter: string; package?: string; quantity: string }[] }).rows.some(
              (row) => row.meter === 'flow_runs' && row.package === name && row.quantity === '13',
            ),
          5_000,
        )
      })
    }

    it('refuses a wrong, a missing and a foreign signature with the code that says which', async () => {
      const bytes = await example('2.0.0', 'flow-refused')
      const wrong = await upload(orgs.demo, bytes, {
        content: Buffer.concat([bytes, Buffer.from('\n')]).toString('base64'),
      })
      const missing = await request('POST', market('/wpk/upload'), {
        token: orgs.demo.tokens.partner,
        body: { content: bytes.toString('utf8') },
      })
      const foreign = await upload({ ...orgs.acme, tokens: orgs.demo.tokens }, bytes)
      const named = await upload(orgs.demo, bytes, { key_id: orgs.acme.key_id })
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const unknown = await request('POST', market('/wpk/upload'), {
        token: orgs.demo.tokens.partner,
        body: { content: bytes.toString('utf8'), signature: sign('sha256', bytes, privateKey).toString('base64') },
      })
      const codes = [wrong, missing, foreign, named, unknown].map(({ status, body }) => [
        status,
        (body as { code: string }).code,
      ])
      expect(codes).to.deep.equal([
        [422, 'signature_invalid'],
        [422, 'signature_missing'],
        [422, 'signer_not_registered'],
        [422, 'signer_not_registered'],
        [422, 'signature_invalid'],
      ])
      const listed = await request('GET', market('/wpk/list?q=flow-refused'), { token: orgs.demo.tokens.partner })
      expect((listed.body as { count: number }).count).to.equal(0)
    })

    it('answers the plain calls of the contract without a token', async () => {
      const health = await request('GET', market('/health'))
      expect(health).to.have.nested.property('body.status', 'ok')
      expect(await request('GET', billing('/billing/invoice/demo'))).to.have.nested.property('body.lines[0].unit_price')
      const sample = await request('POST', `${home.urls.governance}/analyze`, {
        raw: '{"id":"sample"}',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      expect((sample.body as { risk_score: number }).risk_score).to.be.below(0.3)
      const revenue = await request('GET', `${home.urls.portal}/analytics/revenue`)
      expect((revenue.body as { months: unknown[] }).months).to.have.length.above(0)
      const models = await request('GET', `${home.urls.governance}/models`)
      const used = (models.body as { models: { in_use: boolean }[] }).models.map(({ in_use }) => in_use)
      expect([used[0], used.filter(Boolean)]).to.deep.equal([true, [true]])
      expect((await request('GET', market('/wpk/list'))).status).to.equal(200)
      expect((await request('POST', market('/wpk/upload'), { body: {} })).status).to.equal(401)
      expect((await request('GET', market('/wpk/list'), { token: 'atom_wrong' })).status).to.equal(401)
    })

    it('counts each of 2,000 records once although the process is killed in the middle of them', async () => {
      const meter = { package: 'restart-workers', meter: 'workflow_runs' }
      const quantity = async () =>
        (await invoiceOf('acme')).lines.find((one) => one.package === meter.package && one.meter === meter.meter)
          ?.quantity
      const before = Number(await quantity())
      const time = new Date().toISOString()
      const reports = Array.from({ length: 200 }, (_, report) => ({
        records: Array.from({ length: 10 }, (_, n) => ({ id: `kill-${report}-${n}`, quantity: '1', time, ...meter })),
      }))
      const acknowledged = new Set<number>()
      const send = async (index: number) => {
        const answer = await request('POST', billing('/usage/report'), {
          token: orgs.acme.api_key,
          body: reports[index],
        })
        if (answer.status !== 202) throw new Error(`answered ${answer.status}`)
        acknowledged.add(index)
        if (acknowledged.size === 90) system.process.kill('SIGKILL')
      }
      const pending = reports.map((_, index) => index)
      const lanes = Array.from({ length: 4 }, async () => {
        for (let index = pending.shift(); index !== undefined; index = pending.shift())
          await send(index).catch(() => {})
      })
      await Promise.all(lanes)
      expect(acknowledged.size).to.be.within(90, 110)

      system = await startSystem(home, env)
      for (const [index] of reports.entries()) if (!acknowledged.has(index)) await send(index)
      // A client that lost its journal sends some of the acknowledged ones again.
      for (let index = 0; index < 40; index++) await send(index)
      await eventually(quantity, (value) => Number(value) >= before + 2000)
      const lag = async () => (await request('GET', billing('/health'))).body as Health
      await eventually(lag, ({ checks }) =>
        checks.some(({ name, detail }) => name === 'consumer' && detail === 'active, 0 events behind'),
      )
      expect(Number(await quantity())).to.equal(before + 2000)
    })

    it(`has its events on the ${bus} bus`, async () => {
      const { checks } = (await request('GET', billing('/health'))).body as Health
      expect(checks.some(({ name }) => name === 'relay')).to.equal(bus === 'kafka')
      const { body } = await request('GET', `${home.urls.data}/data/topics`, { token: orgs.atom.tokens.data as string })
      const counted = (body as { topics: { name: string; records: number }[] }).topics
      const usage = counted.find(({ name }) => name === 'atom.usage')?.records
      expect(usage).to.be.greaterThan(200)
      if (!kafka) return
      const admin = await adminOf(kafka)
      const ends = await admin.fetchTopicOffsets('atom.usage')
      await admin.disconnect()
      expect(ends.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)).to.equal(usage)
    })

    it('frees the ports within 3 s of a signal and leaves no process behind', async () => {
      const begun = performance.now()
      const code = await system.stop('SIGINT')
      expect(performance.now() - begun).to.be.below(3_000)
      expect(code).to.equal(0)
      system = await startSystem(home, env)
      const { number, status } = await invoiceOf('acme', lastMonth())
      expect(status).to.equal('issued')
      expect(number).to.match(/^ATOM-\d{6}$/)
    })
  })

function lastMonth(): string {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7)
}
