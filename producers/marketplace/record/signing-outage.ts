import { type Db, execute, row, type Tx } from '../../../platform/db.ts'
import { AppError } from '../../../platform/errors.ts'

export type SigningOutage = { since: Date; code: string }

/** Since when the marketplace cannot sign, or null. As one process found it, for all of them. */
export const signingOutage = async (tx: Tx): Promise<SigningOutage | null> =>
  (await row<SigningOutage>(tx, 'select since, code from marketplace.signing_outage')) ?? null

/** Notes that the key cannot be used, since when the first to find it did. */
export async function noteOutage(db: Db, error: unknown, now: Date): Promise<void> {
  const code = error instanceof AppError ? error.code : 'key_unusable'
  await db.query(
    `insert into marketplace.signing_outage (since, code) values (?, ?)
     on conflict (single) do update set code = excluded.code where signing_outage.code <> excluded.code`,
    [now, code],
  )
}

export const endOutage = (tx: Tx) => execute(tx, 'delete from marketplace.signing_outage')
