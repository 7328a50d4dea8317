import { Fenced } from '../bus/attempts.ts'
import { execute, row, type Tx } from '../db.ts'
import { fault } from '../fault.ts'
import { type Shadow, schemaOf } from './replay.ts'
import { appliedOf, endsOf, type ReplayDeps, take, type Work } from './replay-batch.ts'
import { lettersOf, progress } from './rows.ts'

export type Checksum = { rows: number; sha256: string }
export type Compared = {
  equal: boolean
  tables: { table: string; live: Checksum; shadow: Checksum; only_live: number; only_shadow: number }[]
}

/** What is left when the live projection is held may be this much; with more it goes on catching up first. */
const LAST_RECORDS = 500
const DIFFERS = 'what was built differs from the live tables: look at the result, then resume with accept_difference'

/**
 * Puts what was built in the place of the live tables, in one transaction. From the lock on nothing writes to them,
 * while they can be read; what the group has applied since the last batch is applied here too, so that both are
 * compared at the same positions. `behind`: there is more than that; `waits`: not before something else is settled.
 */
export async function swapIn(
  deps: ReplayDeps,
  work: Work,
  shadow: Shadow,
): Promise<'done' | 'differs' | 'waits' | 'behind'> {
  const { replay, topics, reacting } = work
  const outcome = await deps.db.transaction(async (tx) => {
    // Readers come before a rebuild: who cannot have the lock soon asks again. Checksums may take their time.
    await execute(tx, "select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '60s', true)")
    for (const table of shadow.tables)
      await execute(tx, `lock table ${shadow.schema}.${table} in share row exclusive mode`)
    const letters = await lettersOf(tx, replay.group, [...topics.keys()])
    if (letters > 0) {
      // An event that is applied here and redriven there would come twice.
      const note = `waits for ${letters} dead letter(s) of ${replay.group}: redrive or discard them`
      await progress(tx, replay, { note })
      return 'waits'
    }
    const ends = await endsOf(tx, work)
    const last = await Promise.all(ends.map((until, at) => take(deps, work, at, until, LAST_RECORDS)))
    if (last.some(({ taken }) => taken.records === LAST_RECORDS)) return 'behind'
    const counts = { records: 0, applied: 0, leftOut: 0 }
    for (const { taken } of last) {
      counts.applied += appliedOf(await reacting.settleAll(tx, taken.decoded))
      counts.records += taken.records
      counts.leftOut += taken.leftOut
    }
    const result = await compare(tx, shadow, schemaOf(shadow, replay.kind))
    const accepted = result.equal || replay.accept_difference || replay.kind === 'rollback'
    if (accepted) await exchange(tx, shadow, replay.kind === 'rollback')
    const end = accepted
      ? ({ state: 'done', endedAt: deps.now() } as const)
      : ({ state: 'paused', note: DIFFERS } as const)
    const ranges = last.map(({ range }) => range)
    if (!(await progress(tx, replay, { ...counts, ...end, ranges, result })))
      throw new Fenced(`replay ${replay.id} went on without this`)
    fault('replay.before-swap')
    return accepted ? 'done' : 'differs'
  })
  if (outcome === 'done') fault('replay.after-swap')
  return outcome
}

async function exchange(tx: Tx, shadow: Shadow, back: boolean): Promise<void> {
  await execute(tx, `select ${shadow.schema}_shadow.swap(?::text[], ?)`, [[...shadow.tables], back])
}

async function compare(tx: Tx, { schema, tables }: Shadow, built: string): Promise<Compared> {
  const compared: Compared = { equal: true, tables: [] }
  for (const table of tables) {
    const live = await checksum(tx, `${schema}.${table}`)
    const shadow = await checksum(tx, `${built}.${table}`)
    const equal = live.sha256 === shadow.sha256
    compared.equal &&= equal
    const rowsOnlyIn = (one: string, other: string) =>
      equal ? 0 : difference(tx, `${one}.${table}`, `${other}.${table}`)
    const only_live = await rowsOnlyIn(schema, built)
    const only_shadow = await rowsOnlyIn(built, schema)
    compared.tables.push({ table: `${schema}.${table}`, live, shadow, only_live, only_shadow })
  }
  return compared
}

/** SHA-256 over the sorted hashes of all rows: where they lie in the table does not matter. */
export async function checksum(tx: Tx, table: string): Promise<Checksum> {
  const found = await row<Checksum>(
    tx,
    `select count(*)::float8 as rows,
       encode(sha256(coalesce(string_agg(r.hash, ''::bytea order by r.hash), ''::bytea)), 'hex') as sha256
     from (select sha256(convert_to(t::text, 'UTF8')) as hash from ${table} t) r`,
  )
  return found as Checksum
}

async function difference(tx: Tx, one: string, other: string): Promise<number> {
  const sql = `select count(*)::float8 as n from (select * from ${one} except all select * from ${other}) d`
  return (await row<{ n: number }>(tx, sql))?.n ?? 0
}
