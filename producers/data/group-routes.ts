import type { Db } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'

type GroupRow = {
  group: string
  dead_letters: number
  parked: number
  stopped_reason: string | null
  stopped_at: Date | null
}

const GROUPS = `select g.consumer_group as "group", coalesce(l.letters, 0)::int as dead_letters,
    coalesce(l.parked, 0)::int as parked, s.reason as stopped_reason, s.stopped_at
  from (select distinct consumer_group from platform.cursors where consumer_group <> 'relay'
        union select consumer_group from platform.group_stops
        union select distinct consumer_group from platform.dead_letters) g
  left join platform.group_stops s using (consumer_group)
  left join (select consumer_group, count(*) filter (where code <> 'parked_behind') as letters,
               count(*) filter (where code = 'parked_behind') as parked
             from platform.dead_letters group by 1) l using (consumer_group)`

/** The consumer groups: which stopped because too much failed, and letting them go on. */
export function groupRoutes(db: Db): Route[] {
  async function list(): Promise<Answer> {
    const groups = await db.query<GroupRow>(`${GROUPS} order by 1`)
    return { status: 200, body: { groups, next: null } }
  }

  /** The group sees it within a second or so; what failed stays a dead letter. */
  async function resume(call: Call): Promise<Answer> {
    const group = call.params.group ?? ''
    const [known] = /^[\w.-]+$/.test(group)
      ? await db.query<GroupRow>(`${GROUPS} where g.consumer_group = ?`, [group])
      : []
    if (!known) throw httpError('not_found', 'no such consumer group')
    const removed = await db.query('delete from platform.group_stops where consumer_group = ? returning 1', [group])
    return { status: 200, body: { group, resumed: removed.length > 0 } }
  }

  const access = { roles: ['data'] as const }
  return [
    {
      method: 'GET',
      path: '/data/groups',
      summary: 'Consumer groups, and which of them stopped',
      access,
      handle: list,
    },
    {
      method: 'POST',
      path: '/data/groups/:group/resume',
      summary: 'Let a stopped group go on',
      access,
      handle: resume,
    },
  ]
}
