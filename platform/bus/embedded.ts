import type { Topic } from '../../schemas/topics.ts'
import type { Db, Server } from '../db.ts'
import { messageOf } from '../errors.ts'
import { fault } from '../fault.ts'
import type { Log } from '../log.ts'
import { holdSessionLock } from '../session-lock.ts'
import type { Batch, Bus, ConsumeOptions, Consuming, Extent, Lag, Vitals } from './bus.ts'
import {
  countRecords,
  endOf,
  type LogRow,
  readBounds,
  readOverdue,
  readRecords,
  START,
  toBusRecord,
} from './embedded-read.ts'
import { append } from './outbox.ts'
import { openWakeChannel, type WakeChannel } from './wake-channel.ts'

type Options = {
  server: Server
  log: Log
  dbFor: (group: string) => Db
  appender: Db
  /** How often to look although nobody said that there is more, while other processes can say so. */
  idlePollMs?: number
}

/** Nearly all that an idle group costs is this question. A wake-up comes sooner, from this process or another. */
const IDLE_POLL_MS = 2_000
/** While wake-ups of other processes cannot be heard, and while another process has the group. */
const DEAF_POLL_MS = 250
/** After a wake-up the event may still hide behind an older open transaction, so look again soon, then less often. */
const EAGER_DELAYS_MS = [0, 2, 5, 10, 20, 20, 20, 20, 40, 40, 80, 160, 320]
const RETRY_AFTER_ERROR_MS = 500
/** Of one partition at a time: a backlog of the largest reports must not fill the memory. One record always fits. */
const MAX_FETCH_BYTES = 4_000_000

/** The event log in Postgres as a bus. Positions are `xid:pos`, compared as a pair. */
export function openEmbeddedBus({ server, log, dbFor, appender, idlePollMs = IDLE_POLL_MS }: Options): Bus {
  const wakers = new Set<() => void>()
  /** Open while anybody here consumes. */
  let channel: WakeChannel | undefined
  const wakeHere = () => {
    for (const waker of wakers) waker()
  }
  const wake = () => {
    wakeHere()
    channel?.tell()
  }

  async function consume(options: ConsumeOptions): Promise<Consuming> {
    const db = dbFor(options.group)
    const name = `group/${options.group}`
    const lock = holdSessionLock({ server, role: db.role, name, everyMs: DEAF_POLL_MS, log })
    let stopping = false
    let eager = 0
    let turn = 0
    let vitals: Vitals = { signs: 0, applying: false }
    let signal: (() => void) | undefined
    const waker = () => {
      eager = 0
      signal?.()
    }
    wakers.add(waker)
    channel ??= openWakeChannel(server, log, wakeHere)

    /** One member. A newer one ends it, at the latest when what it hangs in comes back. */
    async function loop(): Promise<void> {
      const mine = ++turn
      const isCurrent = () => !stopping && turn === mine
      const held = { positions: null as Map<string, string> | null }
      while (isCurrent()) {
        const worked = lock.held() ? await step(held, isCurrent) : null
        if (!isCurrent()) return
        sign()
        if (worked === 'some') eager = 0
        else if (worked === 'failed') await rest(RETRY_AFTER_ERROR_MS)
        else {
          const hears = worked === 'none' && channel?.listening()
          await rest(EAGER_DELAYS_MS[eager++] ?? (hears ? idlePollMs : DEAF_POLL_MS))
        }
      }
    }

    function sign(applying = false): void {
      vitals = { signs: vitals.signs + 1, applying }
    }

    async function step(
      held: { positions: Map<string, string> | null },
      isCurrent: () => boolean,
    ): Promise<'some' | 'none' | 'failed'> {
      try {
        const positions = held.positions ?? (await readPositions(db, options))
        held.positions = positions
        const batches = await fetchBatches(db, positions, options.maxRecords)
        for (const batch of batches) {
          if (!isCurrent()) return 'none'
          sign(true)
          await options.apply(batch)
          positions.set(`${batch.topic}/${batch.partition}`, batch.next)
        }
        return batches.length > 0 ? 'some' : 'none'
      } catch (error) {
        // The stored cursor is the truth: after any failure it is read again before the next batch.
        held.positions = null
        if (isCurrent()) log.warn('consumer step failed', { group: options.group, error: messageOf(error) })
        return 'failed'
      }
    }

    function rest(ms: number): Promise<void> {
      if (stopping) return Promise.resolve()
      return new Promise((resolve) => {
        const timer = setTimeout(done, ms)
        function done() {
          clearTimeout(timer)
          signal = undefined
          resolve()
        }
        signal = done
      })
    }

    let running = loop()
    return {
      active: () => lock.held(),
      lag: async () => readLag(db, await readPositions(db, options)),
      vitals: () => vitals,
      restart() {
        if (stopping) return
        sign()
        running = loop()
      },
      async stop() {
        stopping = true
        wakers.delete(waker)
        signal?.()
        await running
        await lock.release()
        if (wakers.size > 0) return
        const unused = channel
        channel = undefined
        await unused?.close()
      },
    }
  }

  return {
    name: 'embedded',
    async produce(records) {
      await appender.transaction(async (tx) => {
        await append(tx, records)
        fault('produce.before-commit')
      })
      wake()
    },
    consume,
    extents: (topics) => readExtents(dbFor('data'), topics),
    bounds: (topic, position) => readBounds(dbFor('data'), topic, position),
    read: (request) => readRecords(dbFor('data'), request),
    count: (span) => countRecords(dbFor('data'), span),
    retentionFaults: (topics) => readOverdue(dbFor('data'), topics),
    wake,
    close: async () => wakers.clear(),
  }
}

async function readPositions(db: Db, { topics, cursor, start }: ConsumeOptions): Promise<Map<string, string>> {
  const places = topics.flatMap(({ name, partitions }) => Array.from({ length: partitions }, (_, n) => ({ name, n })))
  const found = places.map(async ({ name, n }): Promise<[string, string]> => {
    const stored = await cursor(name, n)
    return [`${name}/${n}`, stored ?? (start === 'earliest' ? START : await endOf(db, name, n))]
  })
  return new Map(await Promise.all(found))
}

/** One statement, one snapshot: the fence and the rows it guards must not come from two. */
async function fetchBatches(db: Db, positions: Map<string, string>, max: number): Promise<Batch[]> {
  const found = await db.query<LogRow>(
    `select c.topic, c.partition, e.xid::text, e.pos, e.key, e.headers, e.value, e.recorded_at
       from unnest(?::text[], ?::int[], ?::text[], ?::bigint[]) as c (topic, partition, xid, pos)
       cross join lateral (
         select * from (
           select l.*, sum(length(l.value)) over (order by l.xid, l.pos) - length(l.value) as before
           from (
             select * from platform.event_log l
             where l.topic = c.topic and l.partition = c.partition and (l.xid, l.pos) > (c.xid::xid8, c.pos)
               and l.xid < pg_snapshot_xmin(pg_current_snapshot())
             order by l.xid, l.pos limit ?) l) r
         where r.before < ?) e
       order by c.topic, c.partition, e.xid, e.pos`,
    [...columns(positions), max, MAX_FETCH_BYTES],
  )
  const batches = new Map<string, Batch>()
  for (const found_ of found) {
    const name = `${found_.topic}/${found_.partition}`
    const record = toBusRecord(found_)
    const batch = batches.get(name)
    if (batch) {
      batch.records.push(record)
      batch.next = record.next
    } else {
      const from = positions.get(name) ?? START
      const { topic, partition } = record
      batches.set(name, { topic, partition, from, next: record.next, records: [record] })
    }
  }
  return [...batches.values()]
}

async function readExtents(db: Db, topics: readonly Topic[]): Promise<Extent[]> {
  const names = topics.map(({ name }) => name)
  const found = await db.query<{ topic: string; records: number; last: Date }>(
    `select topic, count(*)::int as records, max(recorded_at) as last from platform.event_log
     where topic = any(?::text[]) group by topic`,
    [names],
  )
  const gone = await db.query<{ topic: string; removed: string; last: Date }>(
    'select topic, removed, last_recorded_at as last from platform.expired_events where topic = any(?::text[])',
    [names],
  )
  return names.map((topic) => {
    const held = found.find((one) => one.topic === topic)
    const { removed = '0', last = null } = gone.find((one) => one.topic === topic) ?? {}
    const lastRecordedAt = held?.last ?? null
    return { topic, records: held?.records ?? 0, lastRecordedAt, removed: Number(removed), removedUntil: last }
  })
}

async function readLag(db: Db, positions: Map<string, string>): Promise<Lag[]> {
  return db.query<Lag>(
    `select c.topic, c.partition, count(e.pos)::int as records,
       coalesce(extract(epoch from clock_timestamp() - min(e.recorded_at)), 0)::float8 as seconds
     from unnest(?::text[], ?::int[], ?::text[], ?::bigint[]) as c (topic, partition, xid, pos)
     left join platform.event_log e
       on e.topic = c.topic and e.partition = c.partition and (e.xid, e.pos) > (c.xid::xid8, c.pos)
     group by c.topic, c.partition order by c.topic, c.partition`,
    columns(positions),
  )
}

function columns(positions: Map<string, string>): unknown[][] {
  const names = [...positions.keys()].map((name) => name.split('/') as [string, string])
  const at = [...positions.values()].map((position) => placeOf(position).split(':') as [string, string])
  return [names.map(([topic]) => topic), names.map(([, n]) => Number(n)), at.map(([xid]) => xid), at.map(([, p]) => p)]
}

/** A cursor left by the other backend says nothing about this log: it is read from its beginning, without repeats. */
const placeOf = (position: string): string => (/^\d+:\d+$/.test(position) ? position : START)
