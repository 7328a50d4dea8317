import { type Db, execute } from '../../platform/db.ts'

/** An analysis takes seconds; what has no verdict by then has lost its analyzer. */
const PATIENCE_MS = 120_000

/**
 * Puts versions that the analyzer never answered for before a person: an outage must neither look like a finding nor
 * leave a publisher waiting for ever. A verdict that comes later is still taken. Returns how many.
 */
export async function queueUnanswered(db: Db, now: Date): Promise<number> {
  return db.transaction((tx) =>
    execute(
      tx,
      `update marketplace.versions set status = 'in_review', reason = ?
       where status = 'submitted' and submitted_at < ?`,
      [
        'The analyzer did not answer; a reviewer looks at it without its findings.',
        new Date(now.getTime() - PATIENCE_MS),
      ],
    ),
  )
}
