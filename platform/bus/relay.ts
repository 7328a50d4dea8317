import type { Topic } from '../../schemas/topics.ts'
import type { Db } from '../db.ts'
import { fault } from '../fault.ts'
import type { Batch, Bus, BusRecord, Consuming, Extent, OutgoingRecord } from './bus.ts'
import { cursorReader, moveCursor } from './effects.ts'

export type RelayOptions = {
  /** The log in the database, which on Kafka is the outbox. */
  outbox: Bus
  kafka: Bus
  db: Db
  topics: readonly Topic[]
}
export type Relay = { bus: Bus; consuming: Consuming }

const GROUP = 'relay'
const MAX_RECORDS = 500

/**
 * Carries what was committed with the services' changes to Kafka, in the order the outbox gives it. The cursor moves
 * after Kafka confirmed, so a crash between the two sends some events again, and the consumers' inbox drops them. It
 * carries every topic: usage accepted before a switch to Kafka still lies in the outbox.
 *
 * The bus it returns is Kafka whose `wake` wakes the relay, which knows what the outbox has lost, and whose retention is
 * that of both logs.
 */
export async function startRelay({ outbox, kafka, db, topics }: RelayOptions): Promise<Relay> {
  const byName = new Map(topics.map((topic) => [topic.name, topic]))

  async function apply(batch: Batch): Promise<void> {
    await kafka.produce(batch.records.map((record) => outgoing(record, byName)))
    fault('relay.after-produce')
    const moved = await db.transaction(async (tx) => {
      const done = await moveCursor(tx, GROUP, batch)
      fault('relay.before-commit')
      return done
    })
    fault('relay.after-commit')
    if (!moved) throw new Error(`${batch.topic}/${batch.partition} was relayed by another process`)
  }

  /** What left the outbox before it could be relayed is missing from Kafka too, and only the outbox knows. */
  async function extentsOfBoth(some: readonly Topic[]): Promise<Extent[]> {
    const gone = await outbox.extents(some)
    return (await kafka.extents(some)).map((extent, at) => ({
      ...extent,
      removed: Math.max(extent.removed, gone[at]?.removed ?? 0),
    }))
  }

  const consuming = await outbox.consume({
    group: GROUP,
    topics,
    start: 'earliest',
    maxRecords: MAX_RECORDS,
    apply,
    cursor: cursorReader(db, GROUP),
  })
  // The outbox holds every event that Kafka does, so both have to forget in time.
  const retentionFaults: Bus['retentionFaults'] = async (some) =>
    (await Promise.all([outbox, kafka].map((bus) => bus.retentionFaults(some)))).flat()
  return { bus: { ...kafka, wake: outbox.wake, extents: extentsOfBoth, retentionFaults }, consuming }
}

function outgoing({ topic: name, key, headers, value }: BusRecord, topics: Map<string, Topic>): OutgoingRecord {
  const topic = topics.get(name)
  if (!topic) throw new Error(`the outbox holds an event of ${name}, which is no topic`)
  return { topic, key, headers, value }
}
