import { Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import type { Bus } from '../../platform/bus/bus.ts'
import { POSITION_WORDS, type Position, parsePosition } from '../../platform/bus/position.ts'
import { inboxOfShadow } from '../../platform/bus/retention.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import type { Replay, ReplayGroup, ReplayState } from '../../platform/replay/replay.ts'
import { changeState, findReplay, insertReplay, listReplays, type NewReplay } from '../../platform/replay/rows.ts'
import { isUuid } from '../../platform/uuid.ts'
import { closed } from '../../schemas/envelope.ts'
import type { Topic } from '../../schemas/topics.ts'
import { dataError } from './errors.ts'
import { personOf } from './person.ts'
import { countRanges, type Plan, sideEffects } from './replay-plan.ts'
import { cursorsOf, rangesBetween } from './replay-ranges.ts'
import { progressView, replayView } from './replay-view.ts'

export type ReplayDeps = { bus: Bus; db: Db; now: Clock; groups: readonly ReplayGroup[] }

const Name = Type.String({ minLength: 1, maxLength: 128 })
const ReplayBody = closed({
  group: Name,
  from: Name,
  to: Name,
  topics: Type.Optional(Type.Array(Name, { minItems: 1, maxItems: 100 })),
  mode: Type.Optional(Type.Union([Type.Literal('apply'), Type.Literal('shadow')])),
  execute: Type.Optional(Type.Boolean()),
})
const ResumeBody = closed({ accept_difference: Type.Optional(Type.Boolean()) })
const OPEN: readonly ReplayState[] = ['running', 'paused', 'failed']

/**
 * Hands a range of the log to one group again, which only that group sees. Without `execute` it answers with what would
 * be read and touched; the group itself does it, in steps that can be paused.
 */
export function replayRoutes(deps: ReplayDeps): Route[] {
  const { bus, db, now, groups } = deps

  async function ask(call: Call): Promise<Answer> {
    const { execute = false, mode = 'apply', ...wanted } = checked(ReplayBody, jsonBody(call))
    const group = groups.find((one) => one.group === wanted.group)
    if (!group) throw httpError('not_found', `no consumer group ${wanted.group} handles events`)
    const at = now()
    const span = { from: positionOf(wanted.from, 'from', at), to: positionOf(wanted.to, 'to', at) }
    const all = handlersFor(group, mode)
    const topics = chosenTopics(all, wanted.topics)
    const handlers = all.filter(({ on }) => topics.some(({ name }) => name === on.topic.name))
    const ranges = await rangesBetween(bus, topics, span, await cursorsOf(db, group.group))
    const { forgotten, ...counted } = await countRanges({ bus, db, now: at }, group.group, handlers, ranges)
    const plan: Plan = { ...counted, ...sideEffects(handlers), warnings: [], refused: null }
    if (!plan.complete) plan.warnings.push('more events than are told apart by type here; `events` counts all of them')
    if (mode === 'shadow') warnShadow(plan, group, span.from)
    else warnApply(plan, topics, forgotten)
    const about = { group: group.group, mode, from: wanted.from, to: wanted.to }
    if (!execute) return { status: 200, body: { ...about, executed: false, plan } }
    if (plan.refused !== null) throw dataError('replay_refused', plan.refused)
    const id = uuidv7()
    const replay = await begun(deps, {
      id,
      kind: mode,
      group: group.group,
      shadow: mode === 'shadow' ? (group.recount?.name ?? null) : null,
      ranges,
      inbox: mode === 'shadow' ? inboxOfShadow(group.group, id) : group.group,
      acceptDifference: false,
      by: personOf(call.principal),
      now: at,
    })
    return { status: 202, body: { ...about, executed: true, plan, replay } }
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const { items, next } = page(await listReplays(db, after?.[0] ?? null, limit + 1), limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { replays: items.map(replayView), next },
    }
  }

  async function show(call: Call): Promise<Answer> {
    return { status: 200, body: await progressView(deps, await known(call), now()) }
  }

  /** The state a replay goes to, from the states where that makes sense. */
  function change(to: ReplayState, from: readonly ReplayState[]): Route['handle'] {
    return async (call) => {
      const { id } = await known(call)
      const body = to === 'running' && call.bytes.length > 0 ? checked(ResumeBody, jsonBody(call)) : {}
      const acceptDifference = body.accept_difference === true
      const changed = await changeState(db, id, { from, to, acceptDifference, now: now() })
      if (!changed) throw dataError('replay_state', `only one that is ${from.join(' or ')} can become ${to}`)
      return { status: 200, body: await progressView(deps, changed, now()) }
    }
  }

  async function known({ params }: Call): Promise<Replay> {
    const id = params.id ?? ''
    const found = isUuid(id) ? await findReplay(db, id) : undefined
    if (!found) throw httpError('not_found', 'no such replay')
    return found
  }

  const access = { roles: ['data'] as const }
  const act = (verb: string, summary: string, handle: Route['handle']): Route => ({
    method: 'POST',
    path: `/data/replays/:id/${verb}`,
    summary,
    access,
    handle,
  })
  return [
    { method: 'POST', path: '/data/replays', summary: 'Plan a replay to one group, or begin it', access, handle: ask },
    { method: 'GET', path: '/data/replays', summary: 'Replays and rebuilds, the newest first', access, handle: list },
    { method: 'GET', path: '/data/replays/:id', summary: 'How far a replay is', access, handle: show },
    act('pause', 'Let a replay rest', change('paused', ['running'])),
    act('resume', 'Let a replay go on', change('running', ['paused', 'failed'])),
    act('cancel', 'End a replay', change('cancelled', OPEN)),
  ]
}

/** Begins a replay and answers with it. Throws `replay_open` when one of the same kind is open. */
export async function begun(deps: ReplayDeps, wanted: NewReplay) {
  if (!(await insertReplay(deps.db, wanted)))
    throw dataError('replay_open', `${wanted.group} has an open one: let it end, or cancel it`)
  return progressView(deps, (await findReplay(deps.db, wanted.id)) as Replay, wanted.now)
}

function handlersFor(group: ReplayGroup, mode: 'apply' | 'shadow') {
  if (mode === 'shadow') {
    if (group.recount) return group.recount.handlers(`${group.recount.schema}_shadow`)
    throw dataError('replay_refused', `${group.group} has nothing to compare in a shadow; rebuild a projection instead`)
  }
  const once = group.handlers.find(({ replay }) => replay !== 'apply')
  if (!once) return group.handlers
  const instead = group.recount ? '; with `mode` `shadow` it is only compared' : ''
  throw dataError('replay_refused', `${once.name} must not see an event again${instead}`)
}

function chosenTopics(handlers: ReturnType<typeof handlersFor>, names: readonly string[] | undefined): Topic[] {
  const topics = [...new Map(handlers.map(({ on }) => [on.topic.name, on.topic])).values()]
  if (names === undefined) return topics
  const unknown = names.find((name) => !topics.some((topic) => topic.name === name))
  if (unknown !== undefined)
    throw httpError('parameter_invalid', `\`topics\` are of ${topics.map(({ name }) => name).join(', ')}`)
  return topics.filter(({ name }) => names.includes(name))
}

function positionOf(text: string, name: 'from' | 'to', now: Date): Position {
  const position = parsePosition(text, now)
  if (!position) throw httpError('parameter_invalid', `\`${name}\` is ${POSITION_WORDS}`)
  return position
}

function warnApply(plan: Plan, topics: readonly Topic[], forgotten: number): void {
  if (forgotten > 0)
    plan.refused = `${forgotten} events are older than the inbox remembers and might have their effects twice; rebuild instead`
  const keyed = (name: string) => topics.find((topic) => topic.name === name)?.keyedState === true
  const late = plan.types.filter(({ topic, handled }) => handled && keyed(topic))
  const missed = late.reduce((sum, { events, already_applied }) => sum + events - already_applied, 0)
  if (missed > 0)
    plan.warnings.push(`${missed} events were never applied: they are now, after later events of the same keys`)
}

function warnShadow(plan: Plan, { handlers }: ReplayGroup, from: Position): void {
  const left = handlers.filter(({ on }) => !plan.handlers.some((one) => one.on === on.type)).map(({ on }) => on.type)
  if (left.length > 0) plan.warnings.push(`not compared: ${[...new Set(left)].join(', ')}`)
  if (from.kind !== 'earliest')
    plan.warnings.push(
      'records that repeat one from before the range count as new here: begin at `earliest` to be exact',
    )
}
