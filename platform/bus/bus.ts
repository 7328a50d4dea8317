import type { Topic } from '../../schemas/topics.ts'
import type { Position } from './position.ts'

/** What is sent: bytes with headers, to a partition chosen by the key. */
export type OutgoingRecord = { topic: Topic; key: string; headers: Record<string, string>; value: Buffer }

/** What is read. `position` is the backend's own coordinate, opaque to everybody else. */
export type BusRecord = {
  topic: string
  partition: number
  position: string
  /** The cursor of a group that has applied this record and everything before it. */
  next: string
  key: string
  headers: Record<string, string>
  value: Buffer
  recordedAt: Date
}

/** Where a record stands in its topic. */
export type LogPlace = Pick<BusRecord, 'partition' | 'position'>

/** Records of one partition in order. Applying it moves the cursor from `from` to `next`, or changes nothing. */
export type Batch = { topic: string; partition: number; from: string; next: string; records: BusRecord[] }

export type ConsumeOptions = {
  group: string
  topics: readonly Topic[]
  /** Where a partition is read from when the group has no cursor for it yet. */
  start: 'earliest' | 'latest'
  maxRecords: number
  /** Must apply the batch and its cursor in one transaction; a throw means: nothing happened, ask again. */
  apply(batch: Batch): Promise<void>
  /** Stored position of a partition, or null. Read on every assignment: the database is the truth, not the bus. */
  cursor(topic: string, partition: number): Promise<string | null>
}

/** What a topic holds now, for people who look at the log. */
export type Extent = {
  topic: string
  records: number
  lastRecordedAt: Date | null
  /** How many older ones retention has taken away, as far as the backend knows. */
  removed: number
  /** When the newest of those was recorded; null when none is gone, or when the backend does not know. */
  removedUntil: Date | null
}

/** The cursor from which a partition is read. */
export type Bound = { partition: number; at: string }
/** Records after the cursor `from`, as far as the cursor `until` goes. */
export type Span = { topic: Topic; partition: number; from: string; until: string }
export type ReadRequest = Span & { maxRecords: number }

/** `place`: how far the group is, told by a backend that fetches partitions apart from each other. */
export type Lag = { topic: string; partition: number; records: number; seconds: number; place?: string }

/** `signs` is another number whenever the member got an answer or finished a step; `applying`: a batch is applied. */
export type Vitals = { signs: number; applying: boolean }

export type Consuming = {
  /** False while another process holds the group. */
  active(): boolean
  lag(): Promise<Lag[]>
  vitals(): Vitals
  /** Puts a new member in the place of one that hangs; should that one wake up, it finds the cursor moved. */
  restart(): void
  stop(): Promise<void>
}

/**
 * The one interface of both backends: an ordered, partitioned, replayable log.
 * State events never come through `produce`; they are appended in the caller's transaction (`outbox.ts`).
 */
export type Bus = {
  name: 'embedded' | 'kafka'
  /** Appends on its own and returns once the records would survive a crash. */
  produce(records: readonly OutgoingRecord[]): Promise<void>
  consume(options: ConsumeOptions): Promise<Consuming>
  extents(topics: readonly Topic[]): Promise<Extent[]>
  /** Where a position lies in each partition, in order. Throws `PositionInvalid`. */
  bounds(topic: Topic, position: Position): Promise<Bound[]>
  /** Reads without a group and without waiting; empty at `until`. Throws `PositionInvalid`. */
  read(request: ReadRequest): Promise<BusRecord[]>
  /** How many records a span holds; 0 when `until` is not after `from`. Throws `PositionInvalid`. */
  count(span: Span): Promise<number>
  /** Why events may be kept longer or shorter than the registry says, a sentence for each reason; empty when they are not. */
  retentionFaults(topics: readonly Topic[]): Promise<string[]>
  /** A hint that something was committed; readers that miss it poll. */
  wake(): void
  close(): Promise<void>
}
