import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { invoiceId } from '../../consumers/metering/invoice.ts'
import type { Plan } from '../../consumers/metering/rating/plan.ts'
import { type Db, execute, openDb } from '../../platform/db.ts'
import { startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { migrate } from '../../platform/migrate.ts'
import { migrationsFolder, type SocketServer } from '../support/database.ts'

export type BillingWorld = {
  server: SocketServer
  as(role: string): Db
  /** As the owner of everything, for what may take as long as it needs. */
  unhurried: Pick<Db, 'query' | 'transaction'>
  close(): Promise<void>
}
export type Size = { dense: number; sparse: number }

/** Every hour of it has usage of every meter, for the first `dense` tenants. */
export const DENSE = '2026-09'
/** Every tenant used something in it, as at the end of any month. */
export const SPARSE = '2026-08'
/** After the end of both, when their invoices are due. */
export const AFTER = '2026-10-01T02:00:00Z'
/** The tenant whose month has ten million events. */
export const BIG = 'bench-big'
export const SELLER = 'bench-seller'
export const PACKAGES = ['bench-one', 'bench-two']
const METERS = 7
const REGIONS = ['ap', 'eu', 'sa', 'us']
const BIG_METERS = 6

/** Rows that `fill` makes of each kind, by the hours of the months. */
export const rowsOf = ({ dense, sparse }: Size) => ({
  dense: dense * 30 * 24 * METERS * PACKAGES.length,
  sparse: sparse * 31 * 4,
  big: 30 * 24 * BIG_METERS * REGIONS.length,
})
const EVENTS_PER_ROW = 579
export const bigEvents = rowsOf({ dense: 0, sparse: 0 }).big * EVENTS_PER_ROW

/** A durable server of its own: it waits for the disk, unlike that of the tests. */
export async function openBillingWorld(): Promise<BillingWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'atom-bench-'))
  // The server may run as another user and has to reach its data.
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres(folder, silentLog)
  const server = { socketFolder: postgres.socketFolder, database: 'bench_test' }
  await migrate(server, migrationsFolder)
  const owner = openDb(server, 'postgres', 1, 600_000)
  const unhurried: BillingWorld['unhurried'] = {
    async query<R>(sql: string, bindings?: readonly unknown[]) {
      // Each time: the pool has but one connection, and lets it go when it was idle for a while.
      await owner.query('set statement_timeout = 0')
      return owner.query<R>(sql, bindings)
    },
    transaction: (work) =>
      owner.transaction(async (tx) => {
        await execute(tx, 'set local statement_timeout = 0')
        return work(tx)
      }),
  }
  const pools = new Map<string, Db>()
  const as = (role: string): Db => {
    const pool = pools.get(role) ?? openDb(server, role, 8)
    pools.set(role, pool)
    return pool
  }
  return {
    server,
    as,
    unhurried,
    async close() {
      await owner.close()
      for (const pool of pools.values()) await pool.close()
      await postgres.stop()
      await rm(folder, { recursive: true, force: true })
      await rm(postgres.socketFolder, { recursive: true, force: true })
    },
  }
}

const tenantName = (n: number) => `bench-${String(n).padStart(5, '0')}`

/** Prices of three kinds, so that an invoice is not one multiplication; `fill` bills the same in SQL. */
const plan: Plan = {
  name: 'bench',
  currency: 'USD',
  charges: Array.from({ length: METERS }, (_, n) => {
    const meter = `meter_${n}`
    if (n % 3 === 0) return { id: meter, meter, model: 'per_unit', unit_amount: '0.0125' }
    const tiers = [
      { up_to: '1000', unit_amount: '0.02' },
      { up_to: '5000', unit_amount: '0.015' },
      { up_to: null, unit_amount: '0.01' },
    ]
    return { id: meter, meter, model: n % 3 === 1 ? 'graduated' : 'volume', tiers }
  }),
  taxes: [{ name: 'VAT', percent: '20' }],
}
const bigPlan: Plan = {
  name: 'bench by region',
  currency: 'USD',
  charges: Array.from({ length: BIG_METERS }, (_, n) => ({
    id: `meter_${n}`,
    meter: `meter_${n}`,
    model: 'per_unit',
    unit_amount: '0.0125',
    group_by: ['region'],
  })),
}

/** What a plan of the bench makes of a month's quantities, in SQL: the check that the bench bills what it says. */
export const EXPECTED = `
  with used as (
    select tenant, package, meter, sum(quantity) as q from metering.rollups
    where hour >= ? and hour < ? and tenant <> '${BIG}' group by tenant, package, meter),
  priced as (
    select tenant, round(case substring(meter from 7)::int % 3
      when 0 then q * 0.0125
      when 1 then least(q, 1000) * 0.02 + greatest(least(q, 5000) - 1000, 0) * 0.015 + greatest(q - 5000, 0) * 0.01
      else q * case when q <= 1000 then 0.02 when q <= 5000 then 0.015 else 0.01 end end, 2) as amount from used),
  billed as (select tenant, sum(amount) as net from priced group by tenant)
  select count(*)::int as invoices, sum(net + round(net * 0.2, 2))::text as total from billed`

/** Tenants, plans, subscriptions and rollups in the order of time: what a tenant used lies beside others' usage. */
export async function fill({ unhurried }: BillingWorld, size: Size): Promise<void> {
  await unhurried.transaction(async (tx) => {
    const orgs = [SELLER, BIG, ...Array.from({ length: size.sparse }, (_, n) => tenantName(n))]
    await execute(
      tx,
      "insert into platform.orgs (org, display_name, kind, created_at) select o, o, 'member', now() from unnest(?::text[]) o",
      [orgs],
    )
    for (const [name, body, tenants] of [
      [PACKAGES[0], plan, orgs.slice(2)],
      [PACKAGES[1], plan, orgs.slice(2)],
      [PACKAGES[0], bigPlan, [BIG]],
    ] as const)
      await execute(
        tx,
        `with made as (insert into metering.plans (partner, id, name, currency, effective_from, body, created_at)
           values (?, gen_random_uuid(), ?, 'USD', '2020-01-01', ?, now()) returning id)
         insert into metering.subscriptions (tenant, id, partner, package, plan_id, currency, starts_at)
         select t, gen_random_uuid(), ?, ?, made.id, 'USD', '2020-01-01' from made, unnest(?::text[]) t`,
        [SELLER, body.name, JSON.stringify(body), SELLER, name, tenants],
      )
    // The same table in the end; filling it with its index there takes several times as long.
    await execute(tx, 'alter table metering.rollups drop constraint rollups_pkey')
    const insert = (from: string, dimensions: string, records: number, bindings: readonly unknown[]) =>
      execute(
        tx,
        `insert into metering.rollups (tenant, hour, meter, package, dimensions, dimensions_key, quantity, records,
           maximum, latest, latest_at, latest_key, change, change_ms)
         select tenant, hour, meter, package, d, substring(sha256(convert_to(d::text, 'UTF8')) for 16), q, ${records},
           q, q, hour + interval '59 minutes', md5(q::text), q, q * 60000
         from (select tenant, hour, meter, package, ${dimensions} as d,
                 1 + (extract(epoch from hour)::int / 3600 * 7 + length(meter) * 13 + n * 31) % 97 / 8.0 as q
               from ${from} order by hour, md5(tenant)) r`,
        bindings,
      )
    const hours = "generate_series(?::timestamptz, ?::timestamptz, interval '1 hour') as hour"
    const tenants = `generate_series(0, ?::int - 1) as n cross join lateral (select 'bench-' || lpad(n::text, 5, '0') as tenant) as t`
    const meters = (count: number) =>
      `generate_series(0, ${count - 1}) as m cross join lateral (select 'meter_' || m as meter) as named`
    const packages = 'unnest(?::text[]) as package'
    await insert(
      `${hours} cross join ${tenants} cross join ${meters(2)} cross join ${packages}
       where (extract(hour from hour) = n % 24)`,
      "'{}'::jsonb",
      3,
      [`${SPARSE}-01T00:00:00Z`, `${SPARSE}-31T23:00:00Z`, size.sparse, PACKAGES],
    )
    for (let day = 1; day <= 30; day++) {
      const date = `${DENSE}-${String(day).padStart(2, '0')}`
      const of = [`${date}T00:00:00Z`, `${date}T23:00:00Z`]
      await insert(
        `${hours} cross join ${tenants} cross join ${meters(METERS)} cross join ${packages}`,
        "'{}'::jsonb",
        3,
        [...of, size.dense, PACKAGES],
      )
      await insert(
        `${hours} cross join (select 0 as n, '${BIG}' as tenant) as t cross join ${meters(BIG_METERS)}
         cross join (select '${PACKAGES[0]}' as package) as p cross join unnest(?::text[]) as region`,
        "jsonb_build_object('region', region)",
        EVENTS_PER_ROW,
        [...of, REGIONS],
      )
    }
    await execute(tx, 'alter table metering.rollups add primary key (tenant, hour, meter, package, dimensions_key)')
  })
  await unhurried.query('vacuum analyze metering.rollups')
  await unhurried.query('analyze')
}

/** Open invoices for a month of the first `count` tenants, with nothing issued before them. */
export async function openInvoices({ unhurried }: BillingWorld, period: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, n) => tenantName(n))
  await unhurried.transaction(async (tx) => {
    await execute(tx, 'truncate metering.ledger, metering.invoices cascade')
    await execute(tx, "update metering.invoice_sequence set last_number = 0 where seller = 'atom'")
    await execute(
      tx,
      `insert into metering.invoices (tenant, id, period, status, currency, stale)
       select t, i::uuid, ?, 'gathering', 'USD', false from unnest(?::text[], ?::text[]) as o (t, i)`,
      [period, names, names.map((name) => invoiceId(name, period))],
    )
  })
}
