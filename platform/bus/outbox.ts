import type { EventDefinition } from '../../schemas/define-event.ts'
import type { Envelope } from '../../schemas/envelope.ts'
import type { Topic } from '../../schemas/topics.ts'
import { execute, type Tx } from '../db.ts'
import { toRecord } from './binary-mode.ts'
import type { OutgoingRecord } from './bus.ts'
import { partitionOf } from './partition.ts'

/** The lock that keeps one key's events in order; take it first in the transaction (`TransactionOptions.locks`). */
export const keyLock = (topic: Topic, key: string): string => `${topic.name}/${key}`

/**
 * Publishes in the caller's transaction: the events exist exactly if its other changes do.
 * On the embedded backend the log itself is the outbox; on Kafka a relay reads it.
 */
export async function publish(tx: Tx, definition: EventDefinition, events: readonly Envelope[]): Promise<void> {
  await append(
    tx,
    events.map((event) => toRecord(event, definition.topic)),
  )
}

/** Appends records to the event log in one statement. */
export async function append(tx: Tx, records: readonly OutgoingRecord[]): Promise<void> {
  if (records.length === 0) return
  await execute(
    tx,
    `insert into platform.event_log (topic, partition, key, headers, value)
     select * from unnest(?::text[], ?::int[], ?::text[], ?::jsonb[], ?::bytea[])`,
    [
      records.map((record) => record.topic.name),
      records.map((record) => partitionOf(record.key, record.topic.partitions)),
      records.map((record) => record.key),
      records.map((record) => JSON.stringify(record.headers)),
      records.map((record) => record.value),
    ],
  )
}
