import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { AtomError, getInvoice, type Invoice, reportUsage, type UsageRecord } from '../../../sdk/typescript/index.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { openTarget, type Target } from '../support/target.ts'

const VISIBLE_WITHIN_MS = 15_000
const POLL_MS = 100

describe('sdk/typescript reportUsage, getInvoice', () => {
  let target: Target
  let scripted: ScriptedServer
  before(async () => {
    target = await openTarget()
    scripted = await startScriptedServer()
  })
  after(() => Promise.all([target.close(), scripted.close()]))

  const invoice = () => getInvoice(target.tenant, target.tenantToken, { baseUrl: target.billingApi })

  it('counts each reported record once on the live invoice, however often it is sent', async () => {
    const at = { baseUrl: target.billingApi }
    const before = await invoice()
    expect(before.status).to.equal('gathering')
    const line = meteredLine(before)
    const records = Array.from({ length: 3 }, () => recordFor(line))
    const first = await reportUsage(records, target.apiKey, at)
    expect(first).to.deep.include({ accepted: 3, rejected: [] })
    expect(first.report_id).to.equal(first.reports[0]?.report_id)
    expect(first.receipt?.count).to.equal(3)
    const again = await reportUsage(records, target.apiKey, at)
    expect(again.accepted, 'accepted includes repeats').to.equal(3)
    // A later record of its own shows that everything before it has been metered.
    await reportUsage(recordFor(line), target.apiKey, at)
    const expected = quantityOf(before) + 4n * SCALE
    const until = Date.now() + VISIBLE_WITHIN_MS
    let seen = quantityOf(await invoice())
    while (seen < expected && Date.now() < until) {
      await pause(POLL_MS)
      seen = quantityOf(await invoice())
    }
    expect(seen).to.equal(expected)
  }).timeout(30_000)

  it('reads the invoice of a past period, and no other organisation’s', async () => {
    const at = { baseUrl: target.billingApi }
    const now = new Date()
    const past = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7)
    const found = await getInvoice(target.tenant, target.tenantToken, { ...at, period: past })
    expect(found).to.include({ tenant: target.tenant, status: 'issued' })
    const error = await getInvoice(target.tenant, target.otherApiKey, at).catch((thrown) => thrown)
    expect(error.status).to.equal(404)
  })

  it('gives refused records at their place in the array, the rest accepted', async () => {
    const line = meteredLine(await invoice())
    const records = Array.from({ length: 1002 }, (): UsageRecord => ({ ...recordFor(line), quantity: '0' }))
    records[1] = { ...recordFor(line), quantity: '1e3' }
    records[1001] = { ...recordFor(line), time: '2001-01-01T00:00:00Z' }
    const answer = await reportUsage(records, target.apiKey, { baseUrl: target.billingApi })
    expect(answer.accepted).to.equal(1000)
    expect(answer.rejected.map(({ index }) => index)).to.deep.equal([1, 1001])
    expect(answer.rejected[1]).to.include({ code: 'too_old', id: records[1001]?.id })
    expect(answer.reports.map(({ first_index, count }) => [first_index, count])).to.deep.equal([
      [0, 1000],
      [1000, 2],
    ])
    expect(answer.report_id).to.equal(undefined)
  })

  const noWait = { random: () => 0, sleep: async () => undefined }
  const accepted = (report_id: string, count: number) => ({
    status: 202,
    json: { report_id, accepted: count, rejected: [], receipt: { root: report_id, count } },
  })
  const bodies = () => scripted.heard().map(({ body }) => JSON.parse(body) as { records: UsageRecord[] })

  it('resends the same bytes on a retry', async () => {
    scripted.play([{ drop: 'before_answer' }, accepted('r', 2)])
    const records = [recordFor({ meter: 'm' }), recordFor({ meter: 'm' })]
    await reportUsage(records, 'key', { baseUrl: scripted.url, runtime: noWait })
    const [first, second] = scripted.heard()
    expect(second?.body).to.equal(first?.body)
    expect(bodies()[0]?.records.map(({ id }) => id)).to.deep.equal(records.map(({ id }) => id))
  })

  it('sends bigints and dates as exact text', async () => {
    scripted.play([accepted('r', 1)])
    const time = new Date('2025-03-01T00:00:00Z')
    await reportUsage({ id: 'a', meter: 'm', quantity: 2n ** 70n, time }, 'key', { baseUrl: scripted.url })
    expect(bodies()[0]?.records).to.deep.equal([
      { id: 'a', meter: 'm', quantity: '1180591620717411303424', time: '2025-03-01T00:00:00.000Z' },
    ])
  })

  it('moves the places of a later batch’s refusals', async () => {
    const refusal = { index: 0, code: 'too_old', pointer: '/records/0/time', detail: 'too old' }
    const second = { report_id: 's', accepted: 0, rejected: [refusal], receipt: { root: 's', count: 0 } }
    scripted.play([accepted('f', 1000), { status: 202, json: second }])
    const records = Array.from({ length: 1001 }, () => recordFor({ meter: 'm' }))
    const answer = await reportUsage(records, 'key', { baseUrl: scripted.url })
    expect(answer.rejected).to.deep.equal([{ ...refusal, index: 1000, pointer: '/records/1000/time' }])
  })

  it('halves a batch that is too large, keeping every record', async () => {
    scripted.play([{ status: 413 }, accepted('a', 2), { status: 413 }, accepted('b', 1), accepted('c', 1)])
    const records = Array.from({ length: 4 }, () => recordFor({ meter: 'm' }))
    const answer = await reportUsage(records, 'key', { baseUrl: scripted.url })
    expect(answer.accepted).to.equal(4)
    const sizes = bodies().map((body) => body.records.length)
    expect(sizes).to.deep.equal([4, 2, 2, 1, 1])
    expect(answer.reports.map(({ first_index }) => first_index)).to.deep.equal([0, 2, 3])
  })

  it('throws the 413 of a single record', async () => {
    scripted.play([{ status: 413 }])
    const error = await reportUsage(recordFor({ meter: 'm' }), 'key', { baseUrl: scripted.url }).catch(
      (thrown) => thrown,
    )
    expect(error.status).to.equal(413)
  })

  it('says what was accepted before a batch failed', async () => {
    scripted.play([accepted('f', 1000), { status: 403, json: { code: 'role_missing' } }])
    const records = Array.from({ length: 1500 }, () => recordFor({ meter: 'm' }))
    const error = await reportUsage(records, 'key', { baseUrl: scripted.url }).catch((thrown) => thrown)
    expect(error).to.be.instanceOf(AtomError)
    expect(error.partial).to.deep.include({ accepted: 1000, rejected: [] })
    expect(error.partial.reports).to.have.length(1)
  })

  it('sends nothing for no records', async () => {
    scripted.play([])
    const answer = await reportUsage([], 'key', { baseUrl: scripted.url })
    expect(answer).to.deep.equal({ accepted: 0, rejected: [], reports: [] })
    expect(scripted.heard()).to.be.empty
  })
})

const SCALE = 10n ** 12n

interface Metered {
  meter: string
  package?: string
}

function recordFor({ meter, package: name }: Metered): UsageRecord {
  const record: UsageRecord = { id: `sdk-${randomUUID()}`, meter, quantity: '1', time: new Date() }
  return name === undefined ? record : { ...record, package: name }
}

function meteredLine(invoice: Invoice): Metered & { quantity: string } {
  const line = invoice.lines.find(({ meter, quantity }) => meter && quantity !== undefined)
  if (!line?.meter || line.quantity === undefined) throw new Error('the invoice has no metered line')
  const metered = { meter: line.meter, quantity: line.quantity }
  return line.package === undefined ? metered : { ...metered, package: line.package }
}

function quantityOf(invoice: Invoice): bigint {
  const [whole = '0', fraction = ''] = meteredLine(invoice).quantity.split('.')
  return BigInt(whole) * SCALE + BigInt(fraction.padEnd(12, '0'))
}
