import { expect } from 'chai'
import fc from 'fast-check'
import { mayBecome, type Status, statuses } from '../../../../producers/marketplace/lifecycle.ts'
import { onReviewed } from '../../../../producers/marketplace/on-reviewed.ts'
import { onVerdict } from '../../../../producers/marketplace/on-verdict.ts'
import { queueUnanswered } from '../../../../producers/marketplace/unanswered.ts'
import { recordSha256 } from '../../../../producers/marketplace/version-row.ts'
import { wpkReviewed } from '../../../../schemas/events/wpk.reviewed.ts'
import { wpkVerdict } from '../../../../schemas/events/wpk.verdict.ts'
import { currentPolicy } from '../../../../schemas/policy/policy-document.ts'
import { packageBytes, uploadOf } from '../../../support/packages.ts'
import { holds } from '../../../support/property.ts'
import { type Marketplace, openMarketplace, verdictOf } from '../fixture.ts'
import { type Act, foresee, handOver, type Modelled, VERDICTS, WITHDRAWALS } from './walks.ts'

const RUNS = Number(process.env.ATOM_RUNS ?? 15)
type Stored = {
  id: string
  digest: string
  status: Status
  reason: string
  decisions: { before: string; after: string; policy: number | null }[]
  told: string[]
}

/** Along the table; what the machine approves it publishes in the same step. */
const isLegal = (from: Status, to: Status): boolean =>
  mayBecome(from, to) || (to === 'published' && from !== 'deprecated' && mayBecome(from, 'approved'))

describe('producers/marketplace: the life of versions, on random walks', function () {
  this.timeout(20_000 + RUNS * 3_000)
  let market: Marketplace
  let walk = 0
  const policy = {
    ...currentPolicy,
    findings: {
      ...currentPolicy.findings,
      by_rule: { 'WPK-P3-007': { action: 'reject' as const, min_confidence: 'low' as const } },
    },
  }
  before(async () => {
    market = await openMarketplace()
  })
  after(() => market.close())

  const read = (name: string) =>
    market.database.as('postgres').query<Stored>(
      `select v.id, v.digest, v.status, v.reason,
         (select coalesce(json_agg(json_build_object('before', before_sha256, 'after', after_sha256,
            'policy', policy_version) order by d.decided_at, d.id), '[]')
          from marketplace.decisions d where d.org = v.org and d.version_id = v.id) as decisions,
         (select coalesce(json_agg(headers->>'ce_type' order by xid, pos), '[]') from platform.event_log e
          where e.key = v.name and convert_from(e.value, 'utf8')::jsonb->>'id' = v.id::text) as told
       from marketplace.versions v where v.name = ? order by v.id`,
      [name],
    )

  /** Does the act as it is done in the product; the status codes of the answers. */
  async function doIt(name: string, versions: Modelled[], on: Modelled, act: Act, times: number): Promise<number[]> {
    const { demo, reviewer, other } = market.tokens
    const person = (who: 0 | 1) => (who === 0 ? reviewer : other)
    const post = (path: string, as: string, json?: object) =>
      Promise.all(
        Array.from(
          { length: times },
          async () => (await market.call('POST', path, { as, ...(json ? { json } : {}) })).status,
        ),
      )
    const about = { org: 'demo', id: on.id, name, version: on.number, digest: `sha256:${'a'.repeat(64)}` }
    const options = { source: '//test', now: market.clock() }
    if (act.do === 'claim' || act.do === 'heartbeat' || act.do === 'release')
      return post(`/reviews/${on.id}/${act.do}`, person(act.who))
    if (act.do === 'decide')
      return post(`/wpk/review/${on.id}`, person(act.who), { decision: act.decision, justification: 'On a walk.' })
    if (act.do === 'withdraw')
      return post(`/wpk/${on.id}/${act.act}`, act.act === 'block' ? reviewer : demo, { reason: 'On a walk.' })
    if (act.do === 'upload') {
      const number = `1.0.${versions.length}`
      const bytes = packageBytes({ name, version: number, mode: 'manual' })
      return post('/wpk/upload', demo, uploadOf(bytes, market.keys.demo))
    }
    if (act.do === 'silence') await queueUnanswered(market.database.as('atom_marketplace'), market.clock())
    if (act.do === 'verdict') {
      const verdict = verdictOf(about.digest, VERDICTS[act.kind] as object)
      const event = wpkVerdict.create({ ...about, verdict }, options)
      await handOver(market, onVerdict(market.clock, policy), wpkVerdict, event)
    }
    if (act.do === 'react' && on.pending !== null) {
      const [said] = await market.database.as('postgres').query<{ value: Buffer }>(
        `select value from platform.event_log where key = ? and headers->>'ce_type' = 'wpk.reviewed'
           and convert_from(value, 'utf8')::jsonb->>'id' = ?`,
        [name, on.id],
      )
      const event = wpkReviewed.create(JSON.parse(said?.value.toString() ?? ''), options)
      await handOver(market, onReviewed(market.clock), wpkReviewed, event)
    }
    return []
  }

  /** The store says what the model says; what moved moved along the table, recorded with its hashes. */
  function compare(versions: Modelled[], before: Stored[], after: Stored[]): void {
    expect(after.map(({ id, status }) => [id, status])).to.deep.equal(versions.map(({ id, status }) => [id, status]))
    for (const [index, now] of after.entries()) {
      const [was, model] = [before[index], versions[index] as Modelled]
      expect(now.told, now.status).to.deep.equal(model.told)
      expect(now.decisions, now.status).to.have.length(model.decisions)
      if (!was) continue
      if (was.status !== now.status)
        expect(isLegal(was.status, now.status), `${was.status} -> ${now.status}`).to.equal(true)
      if (was.decisions.length === now.decisions.length) continue
      expect(now.decisions.length).to.equal(was.decisions.length + 1)
      expect(now.decisions.at(-1)).to.deep.equal({
        before: recordSha256(was),
        after: recordSha256(now),
        policy: currentPolicy.version,
      })
    }
  }

  const who = fc.constantFrom<0 | 1>(0, 1)
  const act: fc.Arbitrary<Act> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('verdict' as const),
        kind: fc.constantFrom(...(Object.keys(VERDICTS) as (keyof typeof VERDICTS)[])),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('decide' as const),
        decision: fc.constantFrom(
          'approve' as const,
          'approve' as const,
          'reject' as const,
          'request_changes' as const,
        ),
        who,
      }),
    },
    { weight: 5, arbitrary: fc.constant<Act>({ do: 'react' }) },
    { weight: 2, arbitrary: fc.constant<Act>({ do: 'upload' }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('claim' as const, 'heartbeat' as const, 'release' as const), who }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('withdraw' as const),
        act: fc.constantFrom(...(Object.keys(WITHDRAWALS) as (keyof typeof WITHDRAWALS)[])),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('silence' as const), ms: fc.constantFrom(60_000, 121_000, 901_000) }),
    },
  )
  const step = fc.record({ act, version: fc.nat(), twice: fc.boolean() })

  it('goes only where the table leads, refuses all else with 409, and tells and records each move once', async () => {
    const reached = new Set<string>()
    const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      walk += 1
      const name = `walk-${walk}`
      const versions: Modelled[] = []
      let before: Stored[] = []
      for (const { act, version, twice } of [{ act: { do: 'upload' } as Act, version: 0, twice: false }, ...steps]) {
        if (act.do === 'silence') market.clock.advance(act.ms)
        const now = market.clock().getTime()
        // Mostly the newest version, now and then one before it.
        const on = (versions[version % 3 === 0 ? version % Math.max(1, versions.length) : versions.length - 1] ??
          {}) as Modelled
        const codes = await doIt(name, versions, on, act, twice ? 2 : 1)
        const { status } = foresee(versions, on, act, now)
        const after = await read(name)
        if (act.do === 'upload') {
          const made = after.at(-1) as Stored
          versions.push({
            ...{ id: made.id, number: `1.0.${versions.length}`, status: 'submitted', submittedAt: now, verdict: null },
            ...{ approvedByPerson: false, endorsed: null, holder: null, pending: null, decisions: 0 },
            told: ['wpk.submitted'],
          })
        }
        const said = `${JSON.stringify(act)} on ${on.status ?? 'nothing'}`
        if (status !== null) expect(codes, said).to.include(status)
        // Whoever comes second is told that it is done, or that it is too late.
        for (const code of codes) expect(status === 409 ? [409] : [200, 202, 409], said).to.include(code)
        compare(versions, before, after)
        for (const one of after) reached.add(one.status)
        before = after
      }
    })
    await holds(property, RUNS)
    // Few walks need not come everywhere; nothing leads to `scanning` as long as an analysis takes one step.
    if (RUNS >= 1_000) expect([...reached]).to.have.members(statuses.filter((one) => one !== 'scanning'))
  })
})
