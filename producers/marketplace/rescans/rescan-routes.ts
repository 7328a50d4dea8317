import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows, type Tx } from '../../../platform/db.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, saidText } from '../../../schemas/envelope.ts'
import type { Verdict } from '../../../schemas/verdict.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { actorOf } from '../review/reviewable.ts'
import { columns, findVersion, summaryOf, type VersionRow } from '../version-row.ts'

const SettleBody = closed({ justification: saidText(4_000) })

type RoundRow = {
  id: string
  ruleset: string
  model_version: string
  model_sha256: string
  begun_at: Date
  replaced_at: Date | null
  versions: Record<string, number>
  to_settle: number
}
type WorseRow = VersionRow & { rescan_id: string; reasons: string[]; answered_at: Date; after: Verdict }
type SettledRow = { settled_by: string | null; settled_at: Date | null; justification: string | null }

/** A newer verdict on a version speaks for it; a blocked version needs nobody's eyes any more. */
const OPEN = `r.state = 'worse' and r.settled_at is null and v.status <> 'blocked'
  and not exists (select 1 from marketplace.rescanned_versions n
                  where n.org = r.org and n.version_id = r.version_id and n.answered_at > r.answered_at)`

/** New verdicts on stored versions: how far each round is, and the worse ones until a reviewer has settled them. */
export function rescanRoutes(deps: MarketplaceDeps): Route[] {
  async function rounds(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<RoundRow>(
          tx,
          `select s.*, coalesce((select jsonb_object_agg(state, n) from (
               select r.state, count(*) as n from marketplace.rescanned_versions r
               where r.rescan_id = s.id group by r.state) as counts), '{}') as versions,
             (select count(*)::int from marketplace.rescanned_versions r
              join marketplace.versions v on v.org = r.org and v.id = r.version_id
              where r.rescan_id = s.id and ${OPEN}) as to_settle
           from marketplace.rescans s ${after ? 'where s.id < ?::uuid' : ''} order by s.id desc limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { rescans: items.map(roundOf), next },
    }
  }

  async function worse(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<WorseRow>(
          tx,
          `select ${columns}, rescan_id, reasons, answered_at, after from (
             select r.org as of_org, r.version_id as of_version, r.rescan_id, r.reasons, r.answered_at, r.verdict as after
             from marketplace.rescanned_versions r
             join marketplace.versions v on v.org = r.org and v.id = r.version_id
             where ${OPEN} ${after ? 'and (r.answered_at, r.version_id) > (?::timestamptz, ?::uuid)' : ''}
             order by r.answered_at, r.version_id limit ?) as worse
           join marketplace.versions on org = of_org and id = of_version
           order by answered_at, id`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ answered_at, id }) => [answered_at.toISOString(), id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { rescans: items.map(worseOf), next },
    }
  }

  async function settle(call: Call): Promise<Answer> {
    const { justification } = checked(SettleBody, jsonBody(call))
    return deps.db.transaction((tx) => settleIn(tx, call, justification), { scope: scopeOf(call.principal) })
  }

  /** Changes nothing of the version: who wants that blocks it, or decides on it in the queue. */
  async function settleIn(tx: Tx, call: Call, justification: string): Promise<Answer> {
    const version = await findVersion(tx, call.params.id ?? '')
    if (version.org === call.principal.org)
      throw marketplaceError('own_package', 'somebody outside your organisation must look at this package')
    const by = actorOf(call.principal)
    const settled = await execute(
      tx,
      `update marketplace.rescanned_versions set settled_by = ?, settled_at = ?, justification = ?
       where org = ? and version_id = ? and state = 'worse' and settled_at is null`,
      [by, deps.now(), justification, version.org, version.id],
    )
    const [last] = await rows<SettledRow>(
      tx,
      `select settled_by, settled_at, justification from marketplace.rescanned_versions
       where org = ? and version_id = ? and settled_at is not null order by settled_at desc limit 1`,
      [version.org, version.id],
    )
    // Said again by the same person after an answer that was lost, it is answered the same way.
    const again = settled === 0 && last?.settled_by === by && last.justification === justification
    if (last === undefined || (settled === 0 && !again))
      throw marketplaceError('already_decided', 'no worse verdict on this version waits for a reviewer')
    return {
      status: 200,
      body: {
        id: version.id,
        status: version.status,
        settled_by: last.settled_by,
        settled_at: last.settled_at?.toISOString() ?? null,
        justification: last.justification,
      },
    }
  }

  const operators = { roles: ['reviewer', 'data', 'admin'] as const }
  const access = { roles: ['reviewer'] as const }
  return [
    {
      method: 'GET',
      path: '/rescans',
      summary: 'Rounds of new verdicts on stored versions',
      access: operators,
      handle: rounds,
    },
    { method: 'GET', path: '/reviews/rescans', summary: 'Versions whose new verdict is worse', access, handle: worse },
    {
      method: 'POST',
      path: '/reviews/rescans/:id',
      summary: 'Say what follows from a worse verdict',
      access,
      handle: settle,
    },
  ]
}

const roundOf = ({
  id,
  ruleset,
  model_version,
  model_sha256,
  begun_at,
  replaced_at,
  versions,
  to_settle,
}: RoundRow) => ({
  id,
  ruleset,
  model: { version: model_version, sha256: model_sha256 },
  begun_at: begun_at.toISOString(),
  replaced_at: replaced_at?.toISOString() ?? null,
  versions: { waiting: 0, asked: 0, same: 0, better: 0, worse: 0, ...versions },
  to_settle,
})

const saidOf = ({ decision, risk_score, ruleset, model }: Verdict) => ({ decision, risk_score, ruleset, model })

const worseOf = (row: WorseRow) => ({
  id: row.id,
  rescan: row.rescan_id,
  wpk: summaryOf(row),
  before: row.verdict === null ? null : saidOf(row.verdict),
  after: saidOf(row.after),
  reasons: row.reasons,
  findings: row.after.violations,
  answered_at: row.answered_at.toISOString(),
})
