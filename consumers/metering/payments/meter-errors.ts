import { type Db, execute } from '../../../platform/db.ts'
import type { MeterErrors } from './gateway.ts'

/** What a window is called at Stripe. One whose identifier was refused after it was taken is told under another. */
export const identifierOf = (id: string, no: number): string => (no === 1 ? `atom:${id}` : `atom:${id}:${no}`)
/** The same in SQL, over a row of `metering.stripe_meter_windows`. */
export const IDENTIFIER = "'atom:' || id || case when identifier_no > 1 then ':' || identifier_no else '' end"

const OURS = /^atom:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?::([1-9]\d{0,6}))?$/

/**
 * Stores what a meter found wrong with usage it had taken, and takes back that the windows it names were sent: finance
 * tells them again. False for an event that is known already.
 */
export const storeMeterErrors = (db: Db, id: string, found: MeterErrors, now: Date): Promise<boolean> =>
  db.transaction(async (tx) => {
    const refused = found.codes.flatMap(({ code, identifiers }) =>
      identifiers.flatMap((one) => {
        const [, window, no = '1'] = OURS.exec(one) ?? []
        return window === undefined ? [] : [{ window, no, code }]
      }),
    )
    const isNew = await execute(
      tx,
      `insert into metering.stripe_meter_errors
         (id, meter, validated_from, validated_to, errors, codes, received_at)
       values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
      [
        ...[id, found.meter, found.from, found.to, found.errors],
        JSON.stringify(
          found.codes.map(({ code, errors }) => ({
            code,
            errors,
            windows: refused.filter((one) => one.code === code).length,
          })),
        ),
        now,
      ],
    )
    if (isNew === 0) return false
    await execute(
      tx,
      `update metering.stripe_meter_windows w set state = 'failed', last_error = 'stripe_' || r.code, unsure_since = null,
         identifier_no = w.identifier_no + 1, updated_at = ?
       from (select distinct on (id) * from unnest(?::uuid[], ?::int[], ?::text[]) as u (id, no, code)) r
       where w.id = r.id and w.identifier_no = r.no and w.state = 'sent'`,
      [now, refused.map(({ window }) => window), refused.map(({ no }) => no), refused.map(({ code }) => code)],
    )
    return true
  })

/** Finance has seen to it. False where there is no such report. */
export async function settleMeterErrors(db: Db, id: string, by: string, now: Date): Promise<boolean> {
  const changed = await db.transaction((tx) =>
    execute(
      tx,
      `update metering.stripe_meter_errors set settled_at = coalesce(settled_at, ?), settled_by = coalesce(settled_by, ?)
       where id = ?`,
      [now, by, id],
    ),
  )
  return changed === 1
}

export async function countMeterErrors(db: Db): Promise<number> {
  const [found] = await db.query<{ n: number }>(
    'select count(*)::int as n from metering.stripe_meter_errors where settled_at is null',
  )
  return found?.n ?? 0
}
