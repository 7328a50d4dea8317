import type { EventDefinition } from '../../schemas/define-event.ts'
import type { Envelope } from '../../schemas/envelope.ts'

export type Emitted = { definition: EventDefinition; event: Envelope }

/**
 * What a handler decided. Nothing but this value says what happens to the event; a throw means: try again. Of an event
 * that becomes a dead letter nothing else is kept, so that applying it again has its effects once.
 */
export type Outcome =
  | { kind: 'ok'; emit: Emitted[] }
  | { kind: 'skip'; reason: string }
  | { kind: 'dead-letter'; code: string; reason: string }

export const ok = (...emit: Emitted[]): Outcome => ({ kind: 'ok', emit })
export const skip = (reason: string): Outcome => ({ kind: 'skip', reason })
export const deadLetter = (code: string, reason: string): Outcome => ({ kind: 'dead-letter', code, reason })

/** Pairs an event with its definition for `ok`. */
export function emit<D>(definition: EventDefinition<D>, event: Envelope<D>): Emitted {
  return { definition: definition as EventDefinition, event }
}
