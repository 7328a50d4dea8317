import { uuidv7 } from 'uuidv7'
import { type Db, execute, row, type Tx } from '../../../platform/db.ts'
import { paymentError } from './errors.ts'
import type { StripeMeter } from './meter-store.ts'

/** Which usage: null is every package of the tenant, or every tenant that subscribes to the package. */
export type Usage = { tenant: string | null; package: string | null; meter: string }

/** What has to be locked by who puts usage to AWS or to Stripe: the two must not take the same. */
export const ELSEWHERE_LOCK = 'metering/billed-elsewhere'

/**
 * Lets Stripe bill usage by one of its meters, from `since` on. Repeating it changes nothing but the name of the meter
 * there, for hours that are not cut yet; ended in this hour, it goes on. Throws where the usage is billed elsewhere.
 */
export async function mapStripeMeter(
  db: Db,
  usage: Usage & { event_name: string },
  { since, given, now }: { since: Date; given: boolean; now: Date },
): Promise<StripeMeter> {
  return db.transaction(
    async (tx) => {
      const known = await row<StripeMeter>(
        tx,
        `select * from metering.stripe_meters where tenant is not distinct from ? and package is not distinct from ?
           and meter = ? and (ends_at is null or ends_at > ?) order by since desc limit 1`,
        [usage.tenant, usage.package, usage.meter, since],
      )
      if (known && given && known.since.getTime() !== since.getTime())
        throw paymentError('stripe_meter_overlap', `Stripe bills this usage since ${known.since.toISOString()}`)
      await refuseTaken(tx, usage, since, known?.id ?? null)
      const made = known
        ? await row<StripeMeter>(
            tx,
            'update metering.stripe_meters set event_name = ?, ends_at = null where id = ? returning *',
            [usage.event_name, known.id],
          )
        : await row<StripeMeter>(
            tx,
            `insert into metering.stripe_meters (id, tenant, package, meter, event_name, since, planned_until, created_at)
             values (?, ?, ?, ?, ?, ?, ?, ?) returning *`,
            [uuidv7(), usage.tenant, usage.package, usage.meter, usage.event_name, since, since, now],
          )
      return made as StripeMeter
    },
    { locks: [ELSEWHERE_LOCK] },
  )
}

/** A subscription puts a tenant among those of a package at any time, so who has it now is not asked. */
async function refuseTaken(tx: Tx, usage: Usage, since: Date, except: string | null): Promise<void> {
  if (await stripeBills(tx, usage, since, except))
    throw paymentError('stripe_meter_overlap', 'another meter of Stripe takes some of this usage')
  const aws = await row(
    tx,
    `select 1 from metering.aws_products where meter = ? and (?::text is null or tenant = ?)
       and (?::text is null or package = ?) and (ends_at is null or ends_at > ?) limit 1`,
    [usage.meter, usage.tenant, usage.tenant, usage.package, usage.package, since],
  )
  if (aws) throw paymentError('stripe_meter_overlap', 'AWS Marketplace bills some of this usage')
}

/** Whether a meter of Stripe takes some of this usage at `since` or after. */
export async function stripeBills(tx: Tx, usage: Usage, since: Date, except: string | null): Promise<boolean> {
  const found = await row(
    tx,
    `select 1 from metering.stripe_meters where meter = ? and (tenant is null or ?::text is null or tenant = ?)
       and (package is null or ?::text is null or package = ?) and (ends_at is null or ends_at > ?)
       and (?::uuid is null or id <> ?) limit 1`,
    [usage.meter, usage.tenant, usage.tenant, usage.package, usage.package, since, except, except],
  )
  return found !== undefined
}

/** Ends a meter's usage at `ends`. False where there is none that goes on. */
export async function endStripeMeter(db: Db, id: string, ends: Date): Promise<boolean> {
  const changed = await db.transaction((tx) =>
    execute(tx, 'update metering.stripe_meters set ends_at = greatest(since, ?) where id = ? and ends_at is null', [
      ends,
      id,
    ]),
  )
  return changed === 1
}
