import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deductionQueue } from '../../consumers/metering/credits/deduction-queue.ts'
import { grantCredit } from '../../consumers/metering/credits/grant-credit.ts'
import { type Db, openDb } from '../../platform/db.ts'
import { startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { migrate } from '../../platform/migrate.ts'
import { migrationsFolder } from '../support/database.ts'
import { type Bench, type Figure, median, quantile } from './measure.ts'

const ROUNDS = 3
const SECONDS = 4
const CALLERS = 64
const TENANT = 'hot'
const now = () => new Date()

/** One prepaid wallet that everybody deducts from, on a server that waits for the disk. */
export const credits: Bench = async (say) => {
  const folder = await mkdtemp(join(tmpdir(), 'atom-bench-'))
  // The server may run as another user and has to reach its data.
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres(folder, silentLog)
  const server = { socketFolder: postgres.socketFolder, database: 'bench_test' }
  const pools = ['postgres', 'atom_metering'].map((role) => openDb(server, role))
  const [owner, metering] = pools as [Db, Db]
  try {
    await migrate(server, migrationsFolder)
    const [durable] = await owner.query<{ on: boolean }>(
      "select current_setting('fsync') = 'on' and current_setting('synchronous_commit') = 'on' as on",
    )
    if (!durable?.on) throw new Error('the server does not wait for the disk')
    await owner.query("insert into platform.orgs values (?, ?, 'member', now())", [TENANT, TENANT])
    await grant(metering, 'all', '1000000')
    const rates: number[] = []
    const waits: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const deduct = deductionQueue({ allTenants: metering, now })
      const begun = performance.now()
      const one = await spend(async (n) => {
        const { is } = await deduct(TENANT, { id: `${round}-${n}`, amount: '0.01' })
        if (is !== 'taken') throw new Error(`a deduction was ${is}`)
      })
      rates.push((one.length * 1_000) / (performance.now() - begun))
      waits.push(...one)
      say(`round ${round + 1}: ${rates.at(-1)?.toFixed(0)} deductions/s, p99 ${quantile(one, 0.99).toFixed(1)} ms`)
    }
    const figures: Figure[] = [
      {
        name: 'deductions from one hot wallet',
        value: median(rates),
        unit: 'per second',
        hold: 2_000,
        better: 'higher',
        sides: `${CALLERS} callers, ${waits.length} deductions, each durable when answered`,
      },
      {
        name: 'a deduction from it, p99',
        value: quantile(waits, 0.99),
        unit: 'ms',
        hold: 100,
        better: 'lower',
        sides: `median ${median(waits).toFixed(1)} ms, largest ${Math.max(...waits).toFixed(1)} ms`,
      },
    ]
    await compareBooks(owner, waits.length)
    await runDry(metering, owner)
    return figures
  } finally {
    for (const pool of pools) await pool.close()
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
    await rm(postgres.socketFolder, { recursive: true, force: true })
  }
}

const grant = (metering: Db, reference: string, amount: string) =>
  metering.transaction((tx) =>
    grantCredit(
      tx,
      {
        tenant: TENANT,
        source: 'manual',
        reference,
        kind: 'paid',
        currency: 'USD',
        amount,
        priority: 0,
        starts_at: now(),
        expires_at: null,
        applies_to: null,
        package: null,
        partner: null,
      },
      now(),
    ),
  )

/** Every caller asks again as soon as it is answered. Returns how long each waited, in ms. */
async function spend(once: (n: number) => Promise<void>): Promise<number[]> {
  const waits: number[] = []
  const end = performance.now() + SECONDS * 1_000
  let n = 0
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (performance.now() < end) {
        const asked = performance.now()
        n += 1
        await once(n)
        waits.push(performance.now() - asked)
      }
    }),
  )
  return waits
}

/** A rate of deductions that are lost or doubled would be no rate. */
async function compareBooks(owner: Db, deductions: number): Promise<void> {
  const [got] = await owner.query<Record<'used' | 'moved' | 'booked', string>>(
    `select (select sum(used)::numeric(20,2)::text from metering.credits) as used,
       (select sum(amount)::numeric(20,2)::text from metering.credit_movements) as moved,
       (select sum(amount)::numeric(20,2)::text from metering.ledger
        where account = 'prepaid_credits' and kind = 'credit_use') as booked`,
  )
  const wanted = (deductions / 100).toFixed(2)
  if (got?.used !== wanted || got.moved !== wanted || got.booked !== wanted)
    throw new Error(`${deductions} deductions, but ${JSON.stringify(got)}`)
}

/** More is asked for than there is: what was given must be what there was. */
async function runDry(metering: Db, owner: Db): Promise<void> {
  const [left] = await owner.query<{ n: string }>('select sum(remaining)::text as n from metering.credits')
  const deduct = deductionQueue({ allTenants: metering, now })
  await deduct(TENANT, { id: 'almost-all', amount: (Number(left?.n) - 5).toFixed(2) })
  const asked = 2_000
  const outcomes = await Promise.all(
    Array.from({ length: asked }, (_, n) => deduct(TENANT, { id: `dry-${n}`, amount: '0.01' })),
  )
  const given = outcomes.filter(({ is }) => is === 'taken').length
  if (given !== 500) throw new Error(`5.00 were left, and ${given} deductions of 0.01 were given`)
}
