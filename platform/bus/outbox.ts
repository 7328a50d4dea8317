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

/** Five values a row, and a statement takes 65,535 at most. */
const MAX_ROWS = 1_000

/** Appends records to the event log. Values stay single parameters: in an array each byte would be sent as text. */
export async function append(tx: Tx, records: readonly OutgoingRecord[]): Promise<void> {
  for (let at = 0; at < records.length; at += MAX_ROWS) {
    const some = records.slice(at, at + MAX_ROWS)
    await execute(
      tx,
      `insert into platform.event_log (topic, partition, key, headers, value)
       values ${some.map(() => '(?, ?, ?, ?::jsonb, ?)').join(', ')}`,
      some.flatMap(({ topic, key, headers, value }) => [
        topic.name,
        partitionOf(key, topic.partitions),
        key,
        JSON.stringify(headers),
        value,
      ]),
    )
  }
}
