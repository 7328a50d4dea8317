import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { meteringRoutes } from '../../consumers/metering/index.ts'
import { prepare } from '../../consumers/metering/rating/price.ts'
import { openEmbeddedBus } from '../../platform/bus/embedded.ts'
import { decimal } from '../../platform/decimal.ts'
import { silentLog } from '../../platform/log.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { openOrganisations } from '../support/organisations.ts'
import { startService } from '../support/service.ts'
import {
  AFTER,
  BIG,
  type BillingWorld,
  bigEvents,
  DENSE,
  EXPECTED,
  fill,
  openBillingWorld,
  openInvoices,
  rowsOf,
  type Size,
  SPARSE,
} from './billing-world.ts'
import type { Issued } from './issue-process.ts'
import { type Bench, type Figure, median, quantile } from './measure.ts'

const FULL: Size = { dense: 1_000, sparse: 10_000 }
const SHORT: Size = { dense: 100, sparse: 1_000 }
const ROUNDS = 3
const MB = 1_048_576
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
const count = (n: number) => n.toLocaleString('en')

/** Rating and invoicing: how close they come to what the database and the processor can do. */
export const billing: Bench = async (say, short) => {
  const size = short ? SHORT : FULL
  const rows = rowsOf(size)
  const figures = ratings(say)
  const world = await openBillingWorld()
  try {
    const begun = performance.now()
    await fill(world, size)
    say(`filled ${count(rows.dense + rows.sparse + rows.big)} rollup rows in ${seconds(performance.now() - begun)}`)
    const { ratio, both } = await invoicesOverGroupBy(world, size, say)
    figures.push({
      name: `${count(rows.dense)} rollup rows to ${count(size.dense)} issued invoices over GROUP BY of the same rows, times`,
      value: ratio,
      unit: 'ratio',
      hold: 3,
      aim: 1.5,
      better: 'lower',
      sides: both,
    })
    figures.push(...(await bigInvoice(world)))
    figures.push(...(await monthEnd(world, size, say)))
  } finally {
    await world.close()
  }
  return figures
}

/** Both sides see the same rows and take turns; the invoices are issued, with bytes, postings and events. */
async function invoicesOverGroupBy(world: BillingWorld, { dense }: Size, say: (text: string) => void) {
  const grouping: number[] = []
  const issuing: number[] = []
  await groupBy(world)
  for (let round = 0; round < ROUNDS; round++) {
    await openInvoices(world, DENSE, dense)
    grouping.push(await groupBy(world))
    const { ms, cpuMs } = await issueAll(world, DENSE, dense)
    issuing.push(ms)
    say(
      `round ${round + 1}: GROUP BY ${seconds(grouping.at(-1) as number)}, issuing ${seconds(ms)} (${seconds(cpuMs)} of processor in Node)`,
    )
  }
  return {
    ratio: median(issuing.map((ms, n) => ms / (grouping[n] as number))),
    both: `${seconds(median(issuing))} over ${seconds(median(grouping))}`,
  }
}

async function groupBy({ unhurried }: BillingWorld): Promise<number> {
  const { start, end } = periodBounds(DENSE)
  const begun = performance.now()
  await unhurried.query(
    `select tenant, meter, package, dimensions, sum(quantity), sum(records) from metering.rollups
     where hour >= ? and hour < ? group by tenant, meter, package, dimensions`,
    [start, end],
  )
  return performance.now() - begun
}

/** A month end of tenants with little usage: what an invoice costs, whatever it is made from. */
async function monthEnd(world: BillingWorld, { sparse }: Size, say: (text: string) => void): Promise<Figure[]> {
  await openInvoices(world, SPARSE, sparse)
  const { ms, cpuMs, rss, idle } = await issueAll(world, SPARSE, sparse)
  say(`month end of ${count(sparse)} tenants: ${seconds(ms)}, ${seconds(cpuMs)} of processor in Node`)
  const sides = `${(ms / sparse).toFixed(2)} ms an invoice, from ${count(rowsOf({ dense: 0, sparse }).sparse)} rollup rows`
  return [
    {
      name: `month end of ${count(sparse)} tenants`,
      value: ms / 1_000,
      unit: 's',
      hold: (60 * sparse) / FULL.sparse,
      better: 'lower',
      sides,
    },
    {
      name: 'most memory of the process that issues them',
      value: rss / MB,
      unit: 'MB',
      hold: 400,
      better: 'lower',
      sides: `${(idle / MB).toFixed(0)} MB before it began`,
    },
  ]
}

/** Issues a month in a process of its own, and checks what it did against the same bill made in SQL. */
async function issueAll({ server, unhurried }: BillingWorld, period: string, tenants: number): Promise<Issued> {
  const script = fileURLToPath(new URL('./issue-process.ts', import.meta.url))
  const args = ['--import', 'tsx', script, server.socketFolder, server.database, period, AFTER]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const issued = JSON.parse(stdout) as Issued
  const { start, end } = periodBounds(period)
  const [wanted] = await unhurried.query<{ invoices: number; total: string }>(EXPECTED, [start, end])
  const [found] = await unhurried.query<{
    invoices: number
    total: string
    numbers: number
    last: number
    owed: string
  }>(
    `select count(*)::int as invoices, sum((convert_from(body, 'UTF8')::json ->> 'total')::numeric)::text as total,
       max(substring(number from 6)::int) as numbers, (select last_number::int from metering.invoice_sequence) as last,
       (select sum(amount) from metering.ledger where account = 'tenant_receivable')::text as owed
     from metering.invoices where status = 'issued' and period = ?`,
    [period],
  )
  const right =
    found?.invoices === tenants &&
    found.numbers === tenants &&
    found.last === tenants &&
    issued.invoices === tenants &&
    found.total === wanted?.total &&
    found.owed === wanted?.total &&
    wanted?.invoices === tenants
  if (!right) throw new Error(`billed ${JSON.stringify(found)}, not ${JSON.stringify(wanted)} of ${tenants} tenants`)
  return issued
}

/** The live invoice of a month with ten million events, through HTTP, one call after the other. */
async function bigInvoice({ server, as }: BillingWorld): Promise<Figure[]> {
  const now = () => new Date(`${DENSE}-30T23:30:00Z`)
  const organisations = await openOrganisations({ server, as, drop: async () => {} }, [], now)
  const token = await organisations.token(BIG, 'tenant')
  const pools = { db: as('atom_app'), allTenants: as('atom_metering') }
  const rules = { now, partnerSharePercent: '80', collectionHours: 1, paymentDays: 30 }
  const bus = openEmbeddedBus({ server, log: silentLog, appender: pools.db, dbFor: () => pools.allTenants })
  const routes = meteringRoutes({ ...pools, bus, wake: bus.wake, log: silentLog, failing: new Map(), ...rules })
  const service = await startService(routes, organisations.authenticate)
  const waits: number[] = []
  try {
    const CALLS = 300
    const WARM = 20
    for (let n = 0; n < CALLS + WARM; n++) {
      const begun = performance.now()
      const { status, body } = await service.call<{ status: string; lines: { quantity: string }[] }>(
        'GET',
        `/billing/invoice/${BIG}`,
        { as: token },
      )
      if (n >= WARM) waits.push(performance.now() - begun)
      if (status !== 200 || body.status !== 'gathering' || body.lines.length !== 24)
        throw new Error(`${status}, an invoice of ${body.lines?.length} lines instead of 24`)
    }
  } finally {
    await service.close()
    await organisations.close()
  }
  const rows = rowsOf({ dense: 0, sparse: 0 }).big
  return [
    {
      name: `live invoice of a tenant with ${count(bigEvents)} events in the month, p99`,
      value: quantile(waits, 0.99),
      unit: 'ms',
      hold: 50,
      better: 'lower',
      sides: `${waits.length} calls, median ${median(waits).toFixed(1)} ms, from ${count(rows)} rollup rows`,
    },
  ]
}

const TIERS = [
  { up_to: '1000', unit_amount: '0.02' },
  { up_to: '5000', unit_amount: '0.015' },
  { up_to: '100000.5', unit_amount: '0.0101', flat_amount: '5' },
  { up_to: null, unit_amount: '0.00750001' },
]

/** One graduated price over many quantities, exactly, and in floats, which would bill wrongly. */
function ratings(say: (text: string) => void): Figure[] {
  const COUNT = 2_000_000
  const DISTINCT = 4_096
  const texts = Array.from({ length: DISTINCT }, (_, n) => `${(n * 7_919) % 250_000}.${n % 1_000}`)
  const exact = texts.map((text) => decimal(text))
  const floats = texts.map(Number)
  const rate = prepare({ id: 'calls', meter: 'calls', model: 'graduated', tiers: TIERS })
  const tiers = TIERS.map(({ up_to, unit_amount, flat_amount }) => ({
    upTo: up_to === null ? Number.POSITIVE_INFINITY : Number(up_to),
    unit: Number(unit_amount),
    flat: Number(flat_amount ?? 0),
  }))
  function rateFloat(quantity: number): number {
    let amount = 0
    let below = 0
    for (const { upTo, unit, flat } of tiers) {
      if (below > 0 && quantity <= below) break
      amount += (Math.min(quantity, upTo) - below) * unit + flat
      below = upTo
      if (quantity <= upTo) break
    }
    return amount
  }
  const perSecond: number[] = []
  const perSecondFloat: number[] = []
  let total = 0n
  let totalFloat = 0
  for (let round = 0; round < ROUNDS; round++) {
    total = 0n
    totalFloat = 0
    let begun = performance.now()
    for (let n = 0; n < COUNT; n++) total += rate(exact[n % DISTINCT] as bigint)
    perSecond.push((COUNT * 1_000) / (performance.now() - begun))
    begun = performance.now()
    for (let n = 0; n < COUNT; n++) totalFloat += rateFloat(floats[n % DISTINCT] as number)
    perSecondFloat.push((COUNT * 1_000) / (performance.now() - begun))
  }
  // Scaled by 1e24; floats lose the last digits of such a sum, not the first ten.
  const off = Math.abs(Number(total) / 1e24 / totalFloat - 1)
  if (!(off < 1e-9)) throw new Error(`exact and float ratings differ by ${off} of the sum`)
  const millions = (rate: number) => `${(rate / 1e6).toFixed(1)} M/s`
  say(`ratings of a graduated price: ${millions(median(perSecond))}, in floats ${millions(median(perSecondFloat))}`)
  return [
    {
      name: 'ratings of a graduated price of four tiers, one core',
      value: median(perSecond) / 1e6,
      unit: 'M/s',
      hold: 1,
      better: 'higher',
      sides: `${millions(median(perSecond))}, the same loop in floats ${millions(median(perSecondFloat))}`,
    },
  ]
}
