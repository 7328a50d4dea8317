import type { EventDefinition } from './define-event.ts'
import { EventInvalid } from './define-event.ts'
import { dropUnknown } from './drop-unknown.ts'
import type { Envelope } from './envelope.ts'

/**
 * Turns the data of one major version into the next, and does nothing else: no clock, no database. Declared on the
 * event's definition under the version it starts from, so that `{1: …, 2: …}` leads from 1 over 2 to 3.
 */
export type Upcaster = (data: never) => unknown

/** The event is of a version this process cannot read: a newer one, or one whose upcaster is gone. */
export class SchemaUnknown extends Error {
  readonly code = 'schema_unknown'
  readonly retriable = false
}

/**
 * The event as the current version of its type: older majors go through the upcasters, members of a newer revision
 * are dropped. Throws `SchemaUnknown` or `EventInvalid`, neither of which a retry can help.
 */
export function currentEvent<D>(definition: EventDefinition<D>, event: Envelope): Envelope<D> {
  const data = upcast(definition, event)
  const dataschema = `atom:${definition.type}:${definition.version}`
  const reason = definition.problem(data)
  if (reason === null) return { ...event, dataschema, data: data as D }
  // Only now: a report of a thousand records that is valid as it is need not be copied.
  const known = dropUnknown(definition.schema, data)
  if (definition.problem(known) !== null) throw new EventInvalid(reason)
  return { ...event, dataschema, data: known as D }
}

function upcast({ type, version, upcasters }: EventDefinition, { dataschema, data }: Envelope): unknown {
  const from = versionOf(type, dataschema)
  if (from > version) throw new SchemaUnknown(`${dataschema} is newer than version ${version}, the last one known here`)
  let current = data
  for (let step = from; step < version; step++) {
    const next = upcasters[step]
    if (!next) throw new SchemaUnknown(`nothing turns ${type} version ${step} into version ${step + 1}`)
    try {
      current = next(current as never)
    } catch (cause) {
      throw new EventInvalid(`${type} v${step} could not be turned into v${step + 1}: ${String(cause)}`)
    }
  }
  return current
}

function versionOf(type: string, dataschema: string): number {
  const version = /^atom:(.+):([1-9]\d{0,8})$/.exec(dataschema)
  if (version?.[1] !== type) throw new SchemaUnknown(`${dataschema} is not a schema of ${type}`)
  return Number(version[2])
}
