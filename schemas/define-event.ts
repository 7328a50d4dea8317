import type { Static, TSchema } from '@sinclair/typebox'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { uuidv7 } from 'uuidv7'
import type { Envelope } from './envelope.ts'
import type { Topic } from './topics.ts'
import type { Upcaster } from './upcast.ts'

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })

export type CreateOptions = {
  source: string
  now: Date
  id?: string
  subject?: string
  causedBy?: Envelope
  traceparent?: string
}

export type EventDefinition<D = unknown> = {
  type: string
  version: number
  topic: Topic
  /** One sentence: the fact that happened. */
  description: string
  schema: TSchema
  example: D
  /** By the major version each starts from; empty while there is only one. */
  upcasters: Readonly<Record<number, Upcaster>>
  /** The only way to make an event. Throws `EventInvalid` when `data` breaks the schema: a bug of the caller. */
  create(data: D, options: CreateOptions): Envelope<D>
  /** Why `data` is not of this type, or null. */
  problem(data: unknown): string | null
}

export class EventInvalid extends Error {
  readonly code = 'event_invalid'
  readonly retriable = false
}

/** Declares an event type: its schema is the type, the validator and the reference page at once. */
export function defineEvent<S extends TSchema>(definition: {
  type: string
  version: number
  topic: Topic
  description: string
  data: S
  key: (data: Static<S>) => string
  example: Static<S>
  upcasters?: Readonly<Record<number, Upcaster>>
}): EventDefinition<Static<S>> {
  const { type, version, topic, description, data: schema, key, example, upcasters = {} } = definition
  let compiled: ValidateFunction | undefined

  function problem(data: unknown): string | null {
    compiled ??= ajv.compile(schema)
    if (compiled(data)) return null
    const first = compiled.errors?.[0]
    return `${type} v${version}: ${first?.instancePath || '/'} ${first?.message ?? 'is not valid'}`
  }

  function create(data: Static<S>, options: CreateOptions): Envelope<Static<S>> {
    const reason = problem(data)
    if (reason) throw new EventInvalid(reason)
    const id = options.id ?? uuidv7()
    const traceparent = options.traceparent ?? options.causedBy?.traceparent
    return {
      specversion: '1.0',
      id,
      source: options.source,
      type,
      ...(options.subject ? { subject: options.subject } : {}),
      time: options.now.toISOString(),
      datacontenttype: 'application/json',
      dataschema: `atom:${type}:${version}`,
      partitionkey: key(data),
      correlationid: options.causedBy?.correlationid ?? id,
      ...(options.causedBy ? { causationid: options.causedBy.id } : {}),
      ...(traceparent ? { traceparent } : {}),
      data,
    }
  }

  return { type, version, topic, description, schema, example, upcasters, create, problem }
}
