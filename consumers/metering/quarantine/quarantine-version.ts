import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { lineId } from '../rating/line.ts'
import { markUsed } from './mark-used.ts'

export type Cause = 'rejected' | 'yanked' | 'blocked'
type Version = { partner: string; package: string; version: string }
type Bad = Version & { cause: Cause; reason: string; at: Date }

/**
 * Usage of the version is not billed from now on: of one that was rejected, none at all. Usage that names no version
 * follows when this was the last one that is billed.
 */
export async function quarantineVersion(tx: Tx, bad: Bad, now: Date): Promise<void> {
  const { package: name, cause } = bad
  if (cause !== 'rejected') await noteVersion(tx, bad, false)
  await quarantine(tx, bad, now)
  if (cause !== 'rejected' && !(await hasBillable(tx, name))) await quarantine(tx, { ...bad, version: '' }, now)
}

/** A version is public: usage of it is billed, and usage that names no version, from now on. */
export async function admitVersion(tx: Tx, good: Version & { at: Date }, now: Date): Promise<void> {
  await noteVersion(tx, good, true)
  const ended = await rows<{ version: string; since: Date | null }>(
    tx,
    `update metering.quarantines set until = ? where package = ? and version in ('', ?) and until is null
     returning version, since`,
    [good.at, good.package, good.version],
  )
  for (const { version, since } of ended) await markUsed(tx, { package: good.package, version, since }, now)
}

const noteVersion = (tx: Tx, { partner, package: name, version }: Version, billable: boolean): Promise<number> =>
  execute(
    tx,
    `insert into metering.package_versions (partner, package, version, billable) values (?, ?, ?, ?)
     on conflict (partner, package, version) do update set billable = excluded.billable`,
    [partner, name, version, billable],
  )

const hasBillable = (tx: Tx, name: string) =>
  row(tx, 'select 1 from metering.package_versions where package = ? and billable limit 1', [name])

async function quarantine(tx: Tx, { partner, package: name, version, cause, reason, at }: Bad, now: Date) {
  const open = await row<{ id: string; state: string; since: Date | null }>(
    tx,
    `select id, state, since from metering.quarantines
     where package = ? and version = ? and state <> 'released' and until is null limit 1 for update`,
    [name, version],
  )
  // What a reviewer wrote off stays out, whatever becomes of the version.
  if (open?.state === 'written_off') return
  const since = open ? open.since : cause === 'rejected' ? null : at
  if (open)
    await execute(tx, 'update metering.quarantines set cause = ?, reason = ? where id = ?', [cause, reason, open.id])
  else
    await execute(
      tx,
      `insert into metering.quarantines (partner, id, package, version, cause, reason, since, noted_at)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
      // Made from what it is of, so that a replay of the log gives the same.
      [partner, lineId('quarantine', name, version, cause, at.toISOString()), name, version, cause, reason, since, at],
    )
  fault('quarantine.after-row')
  await markUsed(tx, { package: name, version, since }, now)
}
