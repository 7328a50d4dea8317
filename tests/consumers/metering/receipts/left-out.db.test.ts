import { expect } from 'chai'
import type { InclusionProof } from '../../../../sdk/typescript/answers.ts'
import { verifyInclusion } from '../../../../sdk/typescript/verify-inclusion.ts'
import { perUnit } from '../fixture.ts'
import { openQuarantine, PACKAGE, type QuarantineWorld } from '../quarantine/fixture.ts'

describe('consumers/metering/receipts: usage that quarantine left out of an invoice', function () {
  this.timeout(60_000)
  let world: QuarantineWorld
  beforeEach(async () => {
    world = await openQuarantine('2026-10-05T10:30:00Z')
    await world.published('1.0.0')
    await world.published('1.1.0')
  })
  afterEach(() => world.billing.close())

  async function issue(at: string): Promise<void> {
    world.billing.clock.set(at)
    await world.billing.issueDue()
  }
  /** The proof of a report's only record, checked offline: the invoice and the kind of line that it leads to. */
  async function proven(reportId: string): Promise<[number: string, kind: string] | 'report'> {
    const path = `/usage/receipts/${reportId}/proof?index=0`
    const as = world.billing.tokens.acme
    const { status, body } = await world.billing.call<InclusionProof>('GET', path, { as })
    expect(status, JSON.stringify(body)).to.equal(200)
    if (!('invoice' in body)) return 'report'
    const { number, line_id, body: text } = body.invoice
    expect(verifyInclusion(body, { invoice: Buffer.from(text) })).to.include({ by: 'invoice', number })
    const { lines } = JSON.parse(text) as { lines: { id: string; kind: string }[] }
    return [number, lines.find(({ id }) => id === line_id)?.kind ?? '']
  }

  it('is proven to be on the later invoice once it is released, and the earlier one proves what it did', async () => {
    await world.billing.sell(PACKAGE, perUnit('0.50'))
    const good = await world.use('1.0.0', '10', '2026-10-05T09:00:00Z')
    const bad = await world.use('1.1.0', '6', '2026-10-05T09:10:00Z')
    await world.rejected('1.1.0')
    await issue('2026-11-01T01:00:00Z')
    expect([await proven(good.id), await proven(bad.id)]).to.deep.equal([['ATOM-000001', 'usage'], 'report'])
    await world.decideOn('1.1.0', 'release')
    expect(await proven(good.id), 'released').to.deep.equal(['ATOM-000001', 'usage'])
    await issue('2026-12-01T01:00:00Z')
    expect(await proven(good.id), 'billed late').to.deep.equal(['ATOM-000001', 'usage'])
    expect(await proven(bad.id)).to.deep.equal(['ATOM-000002', 'adjustment'])
  })

  it('that is quarantined after it was billed stays proven on the invoice that billed it', async () => {
    await world.billing.sell(PACKAGE, perUnit('0.50'))
    const good = await world.use('1.0.0', '10', '2026-10-05T09:00:00Z')
    const bad = await world.use('1.1.0', '6', '2026-10-05T09:10:00Z')
    await issue('2026-11-01T01:00:00Z')
    await world.rejected('1.1.0')
    await issue('2026-12-01T01:00:00Z')
    for (const { id } of [good, bad]) expect(await proven(id)).to.deep.equal(['ATOM-000001', 'usage'])
  })

  it('that was billed by an invoice that is void is proven to be on the one that bills it anew', async () => {
    await world.billing.sell(PACKAGE, perUnit('0.50'))
    const { id } = await world.use('1.0.0', '10', '2026-10-05T09:00:00Z')
    await issue('2026-11-01T01:00:00Z')
    const [invoice] = await world.billing.owner<{ id: string }>(
      'select id from metering.invoices where number is not null',
    )
    const json = { reason: 'wrong', rebill: true }
    const as = world.billing.tokens.finance
    await world.billing.call('POST', `/billing/invoices/${invoice?.id}/void`, { as, json })
    expect(await proven(id), 'while nothing else bills it').to.deep.equal(['ATOM-000001', 'usage'])
    await issue('2026-12-01T01:00:00Z')
    expect(await proven(id)).to.deep.equal(['ATOM-000002', 'adjustment'])
  })

  it('of values that are counted once a day is left out of the root for the whole day, as it is of the bill', async () => {
    await world.billing.sell(
      PACKAGE,
      perUnit('0.50', {
        charges: [{ id: 'runs', model: 'per_unit', meter: 'runs', unit_amount: '1', aggregation: 'unique' }],
      }),
    )
    const early = await world.use('1.1.0', '6', '2026-10-05T09:10:00Z')
    const before = await world.use('1.1.0', '7', '2026-10-04T09:10:00Z')
    await world.blocked('1.1.0')
    await issue('2026-11-01T01:00:00Z')
    const [line] = (await world.billing.invoice('acme', '2026-10')).lines
    expect(line?.quantity, 'the day on which it was blocked is not billed').to.equal('1')
    expect(await proven(before.id)).to.deep.equal(['ATOM-000001', 'usage'])
    expect(await proven(early.id)).to.equal('report')
  })
})
