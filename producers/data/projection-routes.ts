import { Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { inboxOfShadow } from '../../platform/bus/retention.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { type ReplayGroup, type Shadow, schemaOf } from '../../platform/replay/replay.ts'
import { lastOf, openReplays } from '../../platform/replay/rows.ts'
import { closed } from '../../schemas/envelope.ts'
import type { Topic } from '../../schemas/topics.ts'
import { dataError } from './errors.ts'
import { personOf } from './person.ts'
import { countRanges, type Plan, sideEffects } from './replay-plan.ts'
import { cursorsOf, endedNow, rangesFromEarliest } from './replay-ranges.ts'
import { begun, type ReplayDeps } from './replay-routes.ts'
import { replayView } from './replay-view.ts'

const execute = Type.Optional(Type.Boolean())
const RebuildBody = closed({
  execute,
  accept_loss: Type.Optional(Type.Boolean()),
  accept_difference: Type.Optional(Type.Boolean()),
})
const RollbackBody = closed({ execute })
type Table = { table: string; rows: number; former_rows: number | null }

/** Projections: built again from the log beside the live tables and put in their place, and taken back. */
export function projectionRoutes(deps: ReplayDeps): Route[] {
  const { bus, db, now, groups } = deps

  async function list(): Promise<Answer> {
    const projections = await Promise.all(
      groups.flatMap((group) => (group.projections ?? []).map((one) => viewOf(group.group, one))),
    )
    return { status: 200, body: { projections, next: null } }
  }

  async function viewOf(group: string, projection: Shadow) {
    const open = (await openReplays(db, group)).find(({ shadow }) => shadow === projection.name)
    const last = await lastOf(db, group, projection.name)
    return {
      name: projection.name,
      group,
      topics: topicsOf(projection).map(({ name }) => name),
      tables: await tablesOf(projection),
      open: open ? replayView(open) : null,
      last: last ? replayView(last) : null,
    }
  }

  async function rebuild(call: Call): Promise<Answer> {
    const body = checked(RebuildBody, call.bytes.length > 0 ? jsonBody(call) : {})
    const { group, projection } = named(call)
    const ranges = await rangesFromEarliest(bus, topicsOf(projection))
    const plan = await planOf(group, projection, ranges)
    for (const { topic, removed } of await bus.extents(topicsOf(projection))) {
      if (removed === 0) continue
      plan.warnings.push(`retention has removed ${removed} events of ${topic}: what is built may hold less than now`)
      if (!body.accept_loss) plan.refused = `early events of ${topic} are gone; \`accept_loss\` builds without them`
    }
    const about = { projection: projection.name, group: group.group, tables: await tablesOf(projection) }
    if (!body.execute) return { status: 200, body: { ...about, executed: false, plan } }
    if (plan.refused !== null) throw dataError('replay_refused', plan.refused)
    const id = uuidv7()
    const replay = await begun(deps, {
      id,
      kind: 'rebuild',
      group: group.group,
      shadow: projection.name,
      ranges,
      inbox: inboxOfShadow(group.group, id),
      acceptDifference: body.accept_difference === true,
      by: personOf(call.principal),
      now: now(),
    })
    return { status: 202, body: { ...about, executed: true, plan, replay } }
  }

  /** The tables that were live before the last swap first get what has happened since, and then take their place. */
  async function rollback(call: Call): Promise<Answer> {
    const body = checked(RollbackBody, call.bytes.length > 0 ? jsonBody(call) : {})
    const { group, projection } = named(call)
    const tables = await tablesOf(projection)
    const last = await lastOf(db, group.group, projection.name)
    if (!last || tables.some(({ former_rows }) => former_rows === null))
      throw dataError('replay_refused', `${projection.name} was not rebuilt: there are no former tables`)
    const plan = await planOf(group, projection, last.ranges)
    const about = { projection: projection.name, group: group.group, tables }
    if (!body.execute) return { status: 200, body: { ...about, executed: false, plan } }
    const replay = await begun(deps, {
      id: uuidv7(),
      kind: 'rollback',
      group: group.group,
      shadow: projection.name,
      ranges: last.ranges,
      inbox: last.inbox,
      acceptDifference: true,
      by: personOf(call.principal),
      now: now(),
    })
    return { status: 202, body: { ...about, executed: true, plan, replay } }
  }

  async function planOf(group: ReplayGroup, projection: Shadow, ranges: Parameters<typeof endedNow>[0]): Promise<Plan> {
    const handlers = projection.handlers(projection.schema)
    const ended = endedNow(ranges, await cursorsOf(db, group.group))
    const { forgotten: _, ...counted } = await countRanges({ bus, db, now: now() }, group.group, handlers, ended)
    return { ...counted, ...sideEffects(handlers), warnings: [], refused: null }
  }

  function named({ params }: Call): { group: ReplayGroup; projection: Shadow } {
    for (const group of groups)
      for (const projection of group.projections ?? [])
        if (projection.name === params.name) return { group, projection }
    throw httpError('not_found', 'no such projection')
  }

  /** Rows as the database's statistics have them: the data service itself may not read these tables. */
  async function tablesOf(projection: Shadow): Promise<Table[]> {
    return db.query<Table>(
      `select ? || '.' || n.name as table, pg_stat_get_live_tuples(live.oid)::float8 as rows,
         pg_stat_get_live_tuples(former.oid)::float8 as former_rows
       from unnest(?::text[]) as n (name)
       join (pg_class live join pg_namespace l on l.oid = live.relnamespace) on l.nspname = ? and live.relname = n.name
       left join (pg_class former join pg_namespace f on f.oid = former.relnamespace)
         on f.nspname = ? and former.relname = n.name`,
      [projection.schema, [...projection.tables], projection.schema, schemaOf(projection, 'rollback')],
    )
  }

  const access = { roles: ['data'] as const }
  return [
    { method: 'GET', path: '/data/projections', summary: 'Projections and their rebuilds', access, handle: list },
    {
      method: 'POST',
      path: '/data/projections/:name/rebuild',
      summary: 'Plan to build a projection from the log again, or begin it',
      access,
      handle: rebuild,
    },
    {
      method: 'POST',
      path: '/data/projections/:name/rollback',
      summary: 'Put the tables back that were live before the last rebuild',
      access,
      handle: rollback,
    },
  ]
}

function topicsOf({ schema, handlers }: Shadow): Topic[] {
  return [...new Map(handlers(schema).map(({ on }) => [on.topic.name, on.topic])).values()]
}
