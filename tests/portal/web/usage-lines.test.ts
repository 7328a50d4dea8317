import { expect } from 'chai'
import { readUsage } from '../../../portal/web/answers.ts'
import { groupByTenant, usageLines } from '../../../portal/web/usage-lines.ts'
import { loaded } from './canned-answers.ts'

const lines = usageLines(readUsage(loaded.usage.body).rows)

describe('usage lines', () => {
  it('go by tenant, newest month first', () => {
    const groups = groupByTenant(lines)
    expect(groups.map((group) => group.tenant)).to.deep.equal(['acme', 'demo'])
    expect(groups[1]?.lines.map((line) => line.period)).to.deep.equal(['2026-11', '2026-10'])
  })

  it('compare quantities within one meter', () => {
    expect(lines.map((line) => [line.meter, line.share])).to.deep.equal([
      ['api_calls', 1],
      ['compute_seconds', 1],
      ['workflow_runs', 1],
      ['workflow_runs', 0.5],
    ])
  })

  it('have no bar where a meter has counted nothing', () => {
    const [line] = usageLines([
      {
        tenant: 'demo',
        meter: 'idle',
        package: null,
        period: '2026-11',
        quantity: '0',
        amount: '0.00',
        currency: 'EUR',
      },
    ])
    expect(line?.share).to.equal(0)
  })
})
