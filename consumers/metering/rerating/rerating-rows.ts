import { type Db, execute, row, type Tx } from '../../../platform/db.ts'
import type { TenantResult } from './compare-tenant.ts'
import type { Rerating } from './rerating.ts'

const COLUMNS = `id, state, nightly, tenant, period, as_of, other_plan, step::float8, ranges, events::float8,
  records::float8, left_out::float8, expected_events::float8, covers, compared_to, not_counted, code, note, requested_by,
  requested_at, started_at, ended_at`

export type NewRerating = Pick<
  Rerating,
  'id' | 'nightly' | 'tenant' | 'period' | 'as_of' | 'other_plan' | 'requested_by'
> & {
  request_key: string
}

/**
 * Puts a request in the queue, unless one like it is there: then that one is returned. Undefined when the queue is full
 * or, of a nightly one, when it was asked for before.
 */
export async function enqueue(
  tx: Tx,
  wanted: NewRerating,
  now: Date,
  most = Number.MAX_SAFE_INTEGER,
): Promise<Rerating | undefined> {
  const { id, nightly, tenant, period, as_of, other_plan, requested_by, request_key } = wanted
  // One at a time past this point: two counts of the queue at once would both find room.
  await execute(tx, "select pg_advisory_xact_lock(hashtextextended('metering.reratings', 0))")
  const open = await row<Rerating>(
    tx,
    `select ${COLUMNS} from metering.reratings where request_key = ? and (state in ('queued', 'running') or nightly)`,
    [request_key],
  )
  if (open) return nightly ? undefined : open
  return row<Rerating>(
    tx,
    `insert into metering.reratings (id, state, nightly, request_key, tenant, period, as_of, other_plan, requested_by,
       requested_at)
     select ?, 'queued', ?, ?, ?, ?, ?, ?::jsonb, ?, ?
     where (select count(*) from metering.reratings where state in ('queued', 'running')) < ? returning ${COLUMNS}`,
    [
      id,
      nightly,
      request_key,
      tenant,
      period,
      as_of,
      other_plan ? JSON.stringify(other_plan) : null,
      requested_by,
      now,
      most,
    ],
  )
}

export const findRerating = (tx: Tx, id: string, lock: '' | 'for update' = ''): Promise<Rerating | undefined> =>
  row<Rerating>(tx, `select ${COLUMNS} from metering.reratings where id = ? ${lock}`, [id])

/** Holds a rerating for the next step; false when another process does, or has done it. */
export const holdStep = async (tx: Tx, { id, step }: Rerating): Promise<boolean> =>
  (await row(
    tx,
    `select 1 from metering.reratings where id = ? and step = ? and state in ('queued', 'running')
     for update skip locked`,
    [id, step],
  )) !== undefined

/** One page, the newest first. */
export const listReratings = (db: Tx, before: string | null, limit: number): Promise<Rerating[]> =>
  db
    .raw<{ rows: Rerating[] }>(
      `select ${COLUMNS} from metering.reratings where (?::uuid is null or id < ?::uuid) order by id desc limit ?`,
      [before, before, limit],
    )
    .then(({ rows }) => rows)

/** What is to be worked at: the one that runs, or the one that waited longest. */
export async function nextRerating(db: Db): Promise<Rerating | undefined> {
  const [found] = await db.query<Rerating>(
    `select ${COLUMNS} from metering.reratings where state in ('queued', 'running')
     order by state = 'running' desc, requested_at, id limit 1`,
  )
  return found
}

export type Change = Partial<
  Pick<Rerating, 'state' | 'ranges' | 'expected_events' | 'covers' | 'compared_to' | 'not_counted' | 'code' | 'note'>
> & { events?: number; records?: number; leftOut?: number; startedAt?: Date; endedAt?: Date }

/** Moves a rerating on from the step that was read; false when somebody else did so before. Counts are added. */
export async function moveOn(tx: Tx, { id, step }: Rerating, change: Change): Promise<boolean> {
  const json = (value: object | null | undefined) => (value ? JSON.stringify(value) : null)
  const { events = 0, records = 0, leftOut = 0 } = change
  const changed = await execute(
    tx,
    `update metering.reratings set step = step + 1, state = coalesce(?::text, state),
       ranges = coalesce(?::jsonb, ranges), expected_events = coalesce(?::bigint, expected_events),
       covers = coalesce(?::jsonb, covers), compared_to = coalesce(?::text, compared_to),
       not_counted = coalesce(?::jsonb, not_counted), code = coalesce(?::text, code), note = coalesce(?::text, note),
       events = events + ?, records = records + ?, left_out = left_out + ?,
       started_at = coalesce(?::timestamptz, started_at), ended_at = coalesce(?::timestamptz, ended_at)
     where id = ? and step = ? and state in ('queued', 'running')`,
    [
      change.state ?? null,
      json(change.ranges),
      change.expected_events ?? null,
      json(change.covers),
      change.compared_to ?? null,
      json(change.not_counted),
      change.code ?? null,
      change.note ?? null,
      events,
      records,
      leftOut,
      change.startedAt ?? null,
      change.endedAt ?? null,
      id,
      step,
    ],
  )
  return changed === 1
}

/** Keeps that a tenant could not be compared, and why. */
export async function insertFailure(tx: Tx, { id }: Rerating, tenant: string, currency: string, detail: string) {
  const body = JSON.stringify({ tenant, currency, error: { code: 'comparison_failed', detail } })
  await execute(
    tx,
    `insert into metering.rerating_results (rerating, tenant, currency, differing_lines, differing_hours, difference,
       drift, body, failed) values (?, ?, ?, 0, 0, 0, 0, ?, true)`,
    [id, tenant, currency, body],
  )
}

/** Keeps what a tenant's comparison came to; of a rerating of all tenants only the lines that differ. */
export async function insertResult(tx: Tx, { id, tenant: asked }: Rerating, result: TenantResult): Promise<void> {
  const { tenant, currency, differing, differing_hours, totals, drift } = result
  const lines = asked === null ? result.lines.filter(({ status }) => status !== 'equal') : result.lines
  const body = JSON.stringify({ ...result, line_count: result.lines.length, lines })
  await execute(
    tx,
    `insert into metering.rerating_results (rerating, tenant, currency, differing_lines, differing_hours, difference,
       drift, body) values (?, ?, ?, ?, ?, ?, ?, ?)`,
    [id, tenant, currency, differing, differing_hours, totals.difference, drift, body],
  )
}
