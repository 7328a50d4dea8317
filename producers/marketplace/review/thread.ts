import { rows, type Tx } from '../../../platform/db.ts'
import { threadOf, type VersionRow } from '../version-row.ts'

type EntryRow = {
  at: Date
  id: string
  kind: 'version' | 'decision' | 'message' | 'hand_over'
  version_id: string
  version: string
  by: string
  text: string
  decision: string | null
  handed_to: string | null
}

/** What happened in the thread of a version, oldest first: versions, messages, decisions, hand-overs as the scope sees. */
export async function threadEntries(
  tx: Tx,
  version: VersionRow,
  after: readonly string[] | null,
  limit: number,
): Promise<EntryRow[]> {
  const where = after ? '(at, id) > (?::timestamptz, ?::uuid)' : 'true'
  return entries(tx, version, where, 'at, id', [...(after ?? []), limit])
}

function entries(tx: Tx, version: VersionRow, where: string, order: string, bindings: readonly unknown[]) {
  return rows<EntryRow>(
    tx,
    `with members as (
       select org, id, version, submitted_at from marketplace.versions where org = ? and coalesce(thread_id, id) = ?)
     select * from (
       select submitted_at as at, id, 'version' as kind, id as version_id, version, org as by,
         'Submitted.' as text, null as decision, null as handed_to from members
       union all
       select d.decided_at, d.id, 'decision', d.version_id, v.version, d.approver, d.justification, d.decision, null
       from members v join marketplace.decisions d on d.org = v.org and d.version_id = v.id
       union all
       select m.at, m.id, m.kind, m.version_id, v.version, m.author, m.text, null, m.handed_to
       from members v join marketplace.messages m on m.org = v.org and m.version_id = v.id) entries
     where ${where} order by ${order} limit ?`,
    [version.org, threadOf(version), ...bindings],
  )
}

/** More than a screen shows; the thread's own call goes on from the beginning. */
const MOST_ENTRIES = 50
/** The newest entries, oldest first. */
export const lastEntries = async (tx: Tx, version: VersionRow): Promise<EntryRow[]> =>
  (await entries(tx, version, 'true', 'at desc, id desc', [MOST_ENTRIES])).reverse()

export const entryOf = ({ at, id, kind, version_id, version, by, text, decision, handed_to }: EntryRow) => ({
  id,
  kind,
  at: at.toISOString(),
  version_id,
  version,
  by,
  text,
  ...(kind === 'decision' ? { decision } : {}),
  ...(kind === 'hand_over' ? { handed_to } : {}),
})
