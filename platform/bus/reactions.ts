import type { Envelope } from '../../schemas/envelope.ts'
import { currentEvent } from '../../schemas/upcast.ts'
import type { Tx } from '../db.ts'
import { fault } from '../fault.ts'
import type { Log } from '../log.ts'
import { fromRecord } from './binary-mode.ts'
import type { BusRecord } from './bus.ts'
import { unseen } from './effects.ts'
import { keyLock, publish } from './outbox.ts'
import type { Handler } from './runner.ts'

type Reaction = { handler: Handler; prepared: unknown }
export type Count = { type: string; outcome: string }
export type Decoded = { record: BusRecord; event: Envelope; reactions: Reaction[] }

export type Reactions = {
  /** True when a handler may publish. */
  emits: boolean
  /** The events somebody reacts to, with what their handlers prepared before the transaction opens. */
  decode(records: readonly BusRecord[]): Promise<Decoded[]>
  /** Applies each event that the inbox does not know, and remembers it there. */
  settleAll(tx: Tx, decoded: readonly Decoded[]): Promise<Count[]>
  /** What the transaction has to lock first (`TransactionOptions.locks`). */
  locksOf(decoded: readonly Decoded[]): string[]
}

/** A handler decided that the event cannot be applied: nothing of it is kept but the letter. */
class Refused extends Error {
  readonly retriable = false
  readonly code: string
  constructor(code: string, reason: string) {
    super(reason)
    this.code = code
  }
}

/** How events become effects: the same for a group that follows the log and for a replay. `inbox` is its name there. */
export function reactions({
  handlers,
  inbox,
  log,
  stepped = () => {},
}: {
  handlers: readonly Handler[]
  inbox: string
  log: Log
  /** Told of each event that was prepared or applied: a slow group is told from one that hangs by it. */
  stepped?: () => void
}): Reactions {
  const emitted = [...new Set(handlers.flatMap((one) => one.emits))]

  async function settleAll(tx: Tx, decoded: readonly Decoded[]): Promise<Count[]> {
    const counts: Count[] = []
    const events = decoded.map(({ event }) => event)
    const fresh = await unseen(tx, inbox, events)
    fault('runner.after-inbox', inbox)
    for (const { event, record, reactions } of decoded) {
      const { type } = event
      if (!fresh.has(event)) counts.push({ type, outcome: 'duplicate' })
      else for (const reaction of reactions) counts.push({ type, outcome: await settle(tx, event, record, reaction) })
    }
    return counts
  }

  async function settle(tx: Tx, event: Envelope, record: BusRecord, reaction: Reaction): Promise<string> {
    const outcome = await reaction.handler.handle(event, tx, reaction.prepared, record)
    stepped()
    fault('runner.after-effects', inbox)
    if (outcome.kind === 'ok')
      for (const { definition, event: out } of outcome.emit) await publish(tx, definition, [out])
    if (outcome.kind === 'skip') log.debug('event skipped', { id: event.id, reason: outcome.reason })
    if (outcome.kind === 'dead-letter') throw new Refused(outcome.code, outcome.reason)
    return outcome.kind
  }

  async function decode(records: readonly BusRecord[]): Promise<Decoded[]> {
    const decoded: Decoded[] = []
    for (const record of records) {
      const interested = handlers.filter(({ on }) => on.type === record.headers.ce_type)
      const first = interested[0]
      if (!first) continue
      const event = currentEvent(first.on, fromRecord(record))
      const reactions: Reaction[] = []
      for (const one of interested) reactions.push({ handler: one, prepared: await one.prepare?.(event) })
      stepped()
      decoded.push({ record, event, reactions })
    }
    return decoded
  }

  return {
    emits: emitted.length > 0,
    decode,
    settleAll,
    locksOf: (decoded) =>
      decoded.flatMap(({ event }) => emitted.map((definition) => keyLock(definition.topic, event.partitionkey))),
  }
}
