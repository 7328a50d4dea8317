import { expect } from 'chai'
import { eventTypes } from '../../../schemas/index.ts'
import { type RecordedEvent, type RecordedLog, readLog, readResults } from './recorded-log.ts'
import { type Replayed, replay } from './replay.ts'

const RENEW = 'meant? `npm run record-log -- --results` renews the results and says what changed'

describe('a recorded log, replayed', function () {
  this.timeout(60_000)
  const log = readLog()
  let replayed: Replayed
  before(async () => {
    replayed = await replay(log)
  })

  it('holds every event type that something replayed comes from', () => {
    const types = new Set(log.events.map(({ headers }) => headers.ce_type))
    expect(
      // A provider's webhooks lead to `payment.*`, a new rule set to verdicts on stored versions, `org.*` to what webhooks
      // are told, plans are set up as rows, and readers change rows of private packages only (see the test of the projections).
      eventTypes
        .map(({ type }) => type)
        .filter(
          (type) =>
            !types.has(type) && !/^(payment|analyzer|rescan|org|plan)\.|^wpk\.rescanned$|^wpk_reader\./.test(type),
        ),
      '`npm run record-log`',
    ).to.deep.equal([])
  })

  it('holds what makes counting hard: repeats, contradictions, late, unpriced and quarantined usage', () => {
    for (const status of ['duplicate', 'conflict', 'late', 'unpriced', 'quarantined'])
      expect(replayed.results, status).to.contain(`"status": "${status}"`)
  })

  it('counts, rates, issues and shows the same, to the byte', () => {
    const [was, is] = [readResults().split('\n'), replayed.results.split('\n')]
    const [known, made] = [new Set(was), new Set(is)]
    // A few lines say more than two texts of 190 kB.
    expect(
      {
        gone: was.filter((line) => !made.has(line)).slice(0, 5),
        come: is.filter((line) => !known.has(line)).slice(0, 5),
      },
      RENEW,
    ).to.deep.equal({ gone: [], come: [] })
    expect(replayed.results === readResults(), RENEW).to.equal(true)
  })

  it('announces the same invoices, with the same numbers and hashes, in the same order', () => {
    const said = ({ headers, key, value }: RecordedEvent) => [headers.ce_type, headers.ce_time, key, value]
    const recorded = log.events.filter(({ topic }) => topic === 'atom.billing')
    expect(recorded.length).to.be.greaterThan(10)
    expect(replayed.invoices.map(said)).to.deep.equal(recorded.map(said))
  })

  it('would notice one lost record and one changed cent', async () => {
    const reported = log.events.findIndex(({ headers }) => headers.ce_type === 'usage.reported')
    const without: RecordedLog = { ...log, events: log.events.filter((_, index) => index !== reported) }
    expect((await replay(without)).results).to.not.equal(readResults())
    const setup = log.setup.map((one) => ({
      ...one,
      row: one.row.replace('"unit_amount": "0.07"', '"unit_amount": "0.08"'),
    }))
    expect((await replay({ ...log, setup })).results).to.not.equal(readResults())
  })
})
