import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, type Tx } from '../../../platform/db.ts'
import { newTrace } from '../../../platform/trace.ts'
import { wpkReaderChanged } from '../../../schemas/events/wpk_reader.changed.ts'
import { SOURCE } from '../deps.ts'

type Reader = { org: string; name: string; reader: string }

/** Publishes who may read a private package from now on, or may not. The transaction holds the lock of its name. */
export async function tellReader(
  tx: Tx,
  changed: Reader & { access: 'granted' | 'ended' },
  { now, traceparent }: { now: Date; traceparent: string },
): Promise<void> {
  const about = { source: SOURCE, now, subject: changed.name, traceparent }
  await publish(tx, wpkReaderChanged, [wpkReaderChanged.create(changed, about)])
}

/** Tells once of each reader that was named before readers were told of. Returns how many there were. */
export async function tellUntoldReaders(deps: { db: Db; now: Clock; wake: () => void }): Promise<number> {
  const untold = await deps.db.query<Reader>(
    'select org, name, reader from marketplace.name_readers where told_at is null order by name, reader',
  )
  for (const { org, name, reader } of untold)
    await deps.db.transaction(
      async (tx) => {
        const now = deps.now()
        // Of two processes that start at once the second changes nothing, and neither does who has been removed.
        const mine = await execute(
          tx,
          `update marketplace.name_readers set told_at = ?
           where org = ? and name = ? and reader = ? and told_at is null`,
          [now, org, name, reader],
        )
        if (mine > 0) await tellReader(tx, { org, name, reader, access: 'granted' }, { now, traceparent: newTrace() })
      },
      { locks: [keyLock(wpkReaderChanged.topic, name)] },
    )
  if (untold.length > 0) deps.wake()
  return untold.length
}
