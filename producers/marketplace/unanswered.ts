import { type Db, execute } from '../../platform/db.ts'

/** An analysis takes seconds; what has no verdict by then has lost its analyzer. */
const PATIENCE_MS = 120_000
/** An analyzer that is away for longer is not waited for. */
const OUTAGE_MS = 15 * 60_000

/**
 * Tells versions that the analyzer does not answer from those with a finding (`errored`), and puts those it still has
 * not answered after a quarter of an hour before a person, so that no publisher waits for ever. A verdict that comes
 * later is taken in either state. Returns how many it moved.
 */
export async function queueUnanswered(db: Db, now: Date): Promise<number> {
  return db.transaction(async (tx) => {
    const before = (ms: number) => new Date(now.getTime() - ms)
    const queued = await execute(
      tx,
      `update marketplace.versions set status = 'in_review', reason = ?
       where status in ('submitted', 'errored') and submitted_at < ?`,
      ['The analyzer did not answer; a reviewer looks at it without its findings.', before(OUTAGE_MS)],
    )
    const errored = await execute(
      tx,
      `update marketplace.versions set status = 'errored', reason = ?
       where status = 'submitted' and submitted_at < ?`,
      [
        'The analyzer is out of order; nothing was found in the package, and it is judged as soon as it works again.',
        before(PATIENCE_MS),
      ],
    )
    return queued + errored
  })
}
