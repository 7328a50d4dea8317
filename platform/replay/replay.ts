import type { Handler } from '../bus/runner.ts'
import type { Tx } from '../db.ts'

/** `apply`: events again to a group's handlers. The others fill tables beside the live ones. */
export type ReplayKind = 'apply' | 'shadow' | 'rebuild' | 'rollback'
export type ReplayState = 'running' | 'paused' | 'failed' | 'cancelled' | 'done'

/** What is left of one partition: from the cursor `at` to `until`, or as far as the group has read. */
export type ReplayRange = { topic: string; partition: number; at: string; until?: string }

export type Replay = {
  id: string
  kind: ReplayKind
  group: string
  /** The name of what is built beside the live tables, or null. */
  shadow: string | null
  state: ReplayState
  ranges: ReplayRange[]
  step: number
  begun: boolean
  done: number
  applied: number
  left_out: number
  run_since: Date
  run_done: number
  accept_difference: boolean
  inbox: string
  note: string | null
  result: object | null
  requested_by: string
  requested_at: Date
  ended_at: Date | null
  tidied: boolean
}

/**
 * Tables of one database schema that a group fills from events alone, and the handlers that fill a copy of them in
 * another schema. Handlers of a shadow emit nothing.
 */
export type Shadow = {
  name: string
  schema: string
  tables: readonly string[]
  handlers(schema: string): Handler[]
}
/** A shadow that is only compared: for handlers that must not have their effects twice. */
export type Recount = Shadow & { compare(tx: Tx): Promise<object> }

/** A consumer group as replays see it. */
export type ReplayGroup = {
  group: string
  handlers: readonly Handler[]
  projections?: readonly Shadow[]
  recount?: Recount
}

/** Where the tables of a shadow are filled; a rollback goes on with the tables that were live before. */
export const schemaOf = (shadow: Shadow, kind: ReplayKind): string =>
  `${shadow.schema}_${kind === 'rollback' ? 'former' : 'shadow'}`

/** What this group is known by as the builder of a shadow. Undefined for a name nobody declared. */
export const shadowOf = (group: ReplayGroup, name: string | null): Shadow | undefined =>
  [...(group.projections ?? []), ...(group.recount ? [group.recount] : [])].find((one) => one.name === name)
