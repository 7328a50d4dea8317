import { row, rows, type Tx } from '../../../platform/db.ts'
import type { VersionRow } from '../version-row.ts'

const MOST_DECISIONS = 5
type Similar = {
  version_id: string
  name: string
  version: string
  decision: string
  approver: string
  justification: string
  decided_at: Date
  policy_version: number | null
  rules: string[]
}

/** How people decided on versions of this publisher in which the same rules found something: this package first. */
export async function similarDecisions(tx: Tx, version: VersionRow) {
  const rules = [...new Set(version.verdict?.violations.map(({ rule_id }) => rule_id))]
  if (rules.length === 0) return []
  const found = await rows<Similar>(
    tx,
    `select d.version_id, v.name, v.version, d.decision, d.approver, d.justification, d.decided_at, d.policy_version,
       array(select distinct f->>'rule_id' from jsonb_array_elements(v.verdict->'violations') f
             where f->>'rule_id' = any(?::text[]) order by 1) as rules
     from marketplace.decisions d join marketplace.versions v on v.org = d.org and v.id = d.version_id
     where d.org = ? and d.version_id <> ? and d.approver_kind = 'person'
       and d.decision in ('approve', 'reject', 'request_changes')
       and exists (select 1 from jsonb_array_elements(v.verdict->'violations') f where f->>'rule_id' = any(?::text[]))
     order by v.name = ? desc, d.decided_at desc, d.id desc limit ?`,
    [rules, version.org, version.id, rules, version.name, MOST_DECISIONS],
  )
  return found.map((one) => ({ ...one, decided_at: one.decided_at.toISOString() }))
}

type History = { first_seen: Date; versions: number; published: number; rejected: number; blocked: number }

/** What the signer of a version signed before, this version included. */
export async function signerHistory(tx: Tx, { org, key_id }: VersionRow) {
  const found = (await row<History>(
    tx,
    `select min(submitted_at) as first_seen, count(*)::int as versions,
       (count(*) filter (where published_at is not null))::int as published,
       (count(*) filter (where status = 'rejected'))::int as rejected,
       (count(*) filter (where status = 'blocked'))::int as blocked
     from marketplace.versions where org = ? and key_id = ?`,
    [org, key_id],
  )) as History
  const { first_seen, versions: versions_signed, published, rejected, blocked } = found
  return { first_seen: first_seen.toISOString(), versions_signed, published, rejected, blocked }
}
