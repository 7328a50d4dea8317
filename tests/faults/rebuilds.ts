import type { Finding } from './oracle.ts'
import { insist, type Server, type Stage } from './stage.ts'
import type { Running } from './world.ts'

type Replay = { state: string; applied: number; note: string | null; result: { equal: boolean } | null }

/** Asks for the packages to be built again; the process may die before it has answered. */
export async function beginRebuild({ orgs, world }: Stage, server: Server): Promise<string> {
  const options = { token: orgs.atom.tokens.data as string, service: 'data' as const, body: { execute: true } }
  // Another rebuild may still be open; it is done when this one is taken.
  const answer = await insist(server, 'POST', '/data/projections/packages/rebuild', options).catch(() => null)
  const made = (answer?.body as { id?: string } | undefined)?.id
  if (made !== undefined) return made
  const [begun] = await world.owner.query<{ id: string }>('select id from platform.replays order by id desc limit 1')
  return begun?.id ?? ''
}

/** The rebuild ends, each event had its effect once, and the tables are what they were. */
export async function rebuildFound({ orgs, world }: Stage, recovered: Running, id: string): Promise<Finding> {
  const options = { token: orgs.atom.tokens.data as string, service: 'data' as const }
  const { body } = await insist(recovered, 'GET', `/data/replays/${id}`, options, (answer) =>
    ['done', 'paused', 'failed'].includes((answer.body as Replay).state),
  )
  const replay = body as Replay
  const wrong =
    replay.state === 'done' && replay.result?.equal ? [] : [`the rebuild is ${replay.state}: ${replay.note}`]
  const [log] = await world.owner.query<{ n: number }>(
    // What is judged anew changes nothing that the projection shows.
    `select count(*)::int as n from platform.event_log
     where topic = 'atom.wpk' and headers->>'ce_type' like 'wpk.%' and headers->>'ce_type' <> 'wpk.rescanned'`,
  )
  const events = log?.n ?? 0
  return {
    acknowledged: events,
    counted: replay.applied,
    lost: Math.max(0, events - replay.applied),
    double: Math.max(0, replay.applied - events),
    wrong,
  }
}
