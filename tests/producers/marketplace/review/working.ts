import type { Violation } from '../../../../schemas/verdict.ts'
import { type Marketplace, openMarketplace, type Problem, verdictOf } from '../fixture.ts'

export type Item = {
  id: string
  wpk: { name: string; version: string }
  risk_score: number | null
  age_seconds: number
  due_at: string
  overdue: boolean
  claimed_by: string | null
  claimed_until: string | null
  resubmission_of: string | null
  approvals: number
  approvals_needed: number
}
export type Lease = { id: string; claimed_by: string | null; claimed_until: string | null }
export type Reviewing = Awaited<ReturnType<typeof openReviewing>>

export const finding = (change: Partial<Violation> = {}): Violation => ({
  rule_id: 'WPK-P3-005',
  policy: 'P-3',
  severity: 'high',
  confidence: 'high',
  pointer: '/spec/handlers/0/config/command',
  message: 'Runs a downloaded script.',
  remediation: 'Pin it.',
  fingerprint: 'f'.repeat(64),
  ...change,
})

/** A marketplace whose analyzer finds what a test planted for a package, and the calls of reviewers. */
export async function openReviewing() {
  const market: Marketplace = await openMarketplace()
  const planted = new Map<string, { risk_score: number; violations: Violation[]; capabilities: string[] }>()
  await market.judging((name, digest) => {
    const { risk_score, violations, capabilities } = planted.get(name) ?? {
      ...{ risk_score: 0.1, violations: [], capabilities: [] },
    }
    return verdictOf(digest, {
      ...{ risk_score, violations, capabilities },
      decision: risk_score >= 0.9 ? 'block' : risk_score >= 0.3 ? 'review' : 'pass',
    })
  })
  const { reviewer } = market.tokens
  const decide = (id: string, json: object, as = reviewer) =>
    market.call<Problem & { status: string; approvals?: number; needed?: number }>('POST', `/wpk/review/${id}`, {
      as,
      json: { justification: 'Read it all.', ...json },
    })
  const post = <B = Lease>(path: string, as = reviewer, json?: object) =>
    market.call<B & Problem>('POST', path, { as, ...(json ? { json } : {}) })
  return {
    ...market,
    /** What the analyzer will say of every version of a package from now on. */
    plant: (name: string, risk_score: number, violations: Violation[] = [], capabilities: string[] = []) =>
      planted.set(name, { risk_score, violations, capabilities }),
    decide,
    post,
    async inReview(name: string, more: object = {}): Promise<string> {
      const { id } = await market.upload({ name, mode: 'manual', ...more })
      await market.statusBecomes(id, 'in_review')
      return id
    },
    async published(name: string, more: object = {}): Promise<string> {
      const { id } = await market.upload({ name, mode: 'manual', ...more })
      await market.statusBecomes(id, 'in_review')
      await decide(id, { decision: 'approve' })
      await market.statusBecomes(id, 'published')
      return id
    },
    queue: async (query = '', as = reviewer) =>
      (await market.call<{ reviews: Item[]; next: string | null }>('GET', `/reviews${query}`, { as })).body,
    owner: <R>(sql: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(sql, bindings),
    /** Types of the events of a package, in order. */
    told: async (name: string) =>
      (
        await market.database
          .as('postgres')
          .query<{ type: string }>(
            "select headers->>'ce_type' as type from platform.event_log where key = ? order by xid, pos",
            [name],
          )
      ).map(({ type }) => type),
  }
}
