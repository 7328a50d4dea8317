import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { kafkaMissing } from '../../deploy/kafka/jars.ts'
import { messageOf } from '../../platform/errors.ts'
import { ofBrokers } from './broker-cases.ts'
import { type Case, everywhere } from './cases.ts'
import { chains, faultOf, runChain } from './chains.ts'
import { openStage, type Stage } from './stage.ts'
import { failed, HEAD, line, nothing, type Row, summary } from './table.ts'
import { type Backend, openWorld, type World } from './world.ts'

type Job = {
  faults: string[]
  limitMs: number
  repeated?: boolean
  run(stage: Stage): Promise<Omit<Row, 'backend'>[]>
}
/** Works off its jobs one after the other on a world of its own; lanes may share a list. */
type Lane = { backend: Backend; brokers: 1 | 3; jobs: Job[] }

/** Most of a run is waiting for starts and sessions, so some lanes go side by side even on two cores. */
const LANES_AT_ONCE = 4
/** Several times the longest job of each form: what hangs must not hang its caller. */
const JOB_LIMIT_MS = { long: 30 * 60_000, short: 5 * 60_000 }
/** What the short form promises to those who wait for it. */
const SHORT_LIMIT_MS = 12 * 60_000
const usage = 'npm run faults [-- --short] [-- --backend embedded|kafka|both] [-- --only TEXT]'

function lanesOf(backend: Backend, long: boolean, only: string | undefined): { cases: Lane[]; points: Lane[] } {
  const limitMs = JOB_LIMIT_MS[long ? 'long' : 'short']
  const wanted = (fault: string) => only === undefined || fault.includes(only)
  const ofCases = (cases: readonly Case[]): Job[] =>
    cases
      .filter(({ fault }) => wanted(fault))
      .map((one) => ({
        faults: [one.fault],
        limitMs,
        async run(stage) {
          const begun = performance.now()
          const { fault, control = false, kills = false } = one
          return [
            { ...(await one.run(stage, long)), fault, control, kills, seconds: (performance.now() - begun) / 1_000 },
          ]
        },
      }))
  const points = chains(backend, long)
    .map(({ drive, specs }) => ({ drive, specs: specs.filter((spec) => wanted(faultOf(spec))) }))
    .filter(({ specs }) => specs.length > 0)
    .map((chain): Job => ({ faults: chain.specs.map(faultOf), limitMs, run: (stage) => runChain(stage, chain) }))
  const lane = (jobs: Job[], brokers: 1 | 3 = 1): Lane => ({ backend, brokers, jobs })
  const cases = [lane(ofCases(everywhere)), ...(backend === 'kafka' ? [lane(ofCases(ofBrokers), 3)] : [])]
  // A killed member of a Kafka group is missed after 10 s only: two lanes wait at the same time.
  return { cases, points: [lane(points), lane(points)] }
}

async function work(lane: Lane, rows: Row[]): Promise<void> {
  const { backend, brokers, jobs } = lane
  while (jobs.length > 0) {
    let world: World | undefined
    let stage: Stage | undefined
    try {
      world = await openWorld(backend, brokers)
      stage = await openStage(world)
      for (let job = jobs.shift(); job; job = jobs.shift()) {
        const done = await attempt(job, stage, labelOf(lane))
        for (const row of done) console.log(line(row))
        if (mayRepeat(job, done)) {
          console.log(`once more: ${job.faults.join(', ')}`)
          lane.jobs.push({ ...job, repeated: true })
        } else rows.push(...done)
        // What the failed run left behind would be found again by the next one.
        if (done.some(failed)) break
      }
    } catch (error) {
      if (stage) throw error
      rows.push({ ...nothing('start', backend), wrong: [messageOf(error)] })
      return
    } finally {
      await world?.close()
    }
  }
}

/** A busy machine can be late for a limit, once. What was lost or counted twice has failed for good. */
const mayRepeat = ({ repeated = false }: Job, done: readonly Row[]): boolean =>
  !repeated && done.some(failed) && done.every(({ control, lost, double }) => control || (lost === 0 && double === 0))

const labelOf = ({ backend, brokers }: Lane): string => (brokers === 3 ? 'kafka × 3' : backend)

/** Every row there should be; lanes that share a list have each once. */
function rowsOf(lanes: readonly Lane[]): { fault: string; backend: string }[] {
  const lists = new Map(lanes.map((lane) => [lane.jobs, labelOf(lane)]))
  return [...lists].flatMap(([jobs, backend]) =>
    jobs.flatMap(({ faults }) => faults.map((fault) => ({ fault, backend }))),
  )
}

async function attempt({ faults, run, limitMs }: Job, stage: Stage, backend: string): Promise<Row[]> {
  const begun = performance.now()
  try {
    const late = pause(limitMs, null, { ref: false }).then(() => {
      throw new Error(`not done within ${limitMs / 60_000} minutes`)
    })
    return (await Promise.race([run(stage), late])).map((done) => ({ ...done, backend }))
  } catch (error) {
    const seconds = (performance.now() - begun) / 1_000
    return faults.map((fault) => ({ ...nothing(fault, backend), wrong: [messageOf(error)], seconds }))
  }
}

function backendsOf(named: string): Backend[] {
  if (named === 'both') return ['embedded', 'kafka']
  if (named === 'embedded' || named === 'kafka') return [named]
  throw new Error(usage)
}

/** What is not known is refused: a misspelled option would start hours of the long form. */
function optionsOf(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        short: { type: 'boolean', default: false },
        backend: { type: 'string', default: 'both' },
        only: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${usage}`)
  }
}

async function main(args: string[]): Promise<number> {
  const begun = performance.now()
  const options = optionsOf(args)
  if (options.help) {
    console.log(usage)
    return 0
  }
  const long = !options.short
  const wanted = backendsOf(options.backend)
  const missing = wanted.includes('kafka') ? await kafkaMissing() : null
  const required = !wanted.includes('embedded') || (process.env.ATOM_REQUIRE ?? '').split(',').includes('kafka')
  if (missing !== null && required) throw new Error(`Kafka is needed, and ${missing}`)
  const backends = wanted.filter((backend) => missing === null || backend !== 'kafka')
  const each = wanted.map((backend) => lanesOf(backend, long, options.only))
  // The longest first: points are many and short, and two lanes share what is left of them.
  const lanes = [...each.flatMap(({ cases }) => cases), ...each.flatMap(({ points }) => points)]
  const waiting = lanes.filter(({ backend }) => backends.includes(backend))
  const planned = rowsOf(waiting)
  const skipped = rowsOf(lanes).length - planned.length
  if (skipped > 0) console.warn(`SKIPPED on Kafka: ${missing}`)
  const rows: Row[] = []
  for (const head of HEAD) console.log(head)
  const all = Promise.all(
    Array.from({ length: LANES_AT_ONCE }, async () => {
      for (let lane = waiting.shift(); lane; lane = waiting.shift()) if (lane.jobs.length > 0) await work(lane, rows)
    }),
  )
  const limit = long ? undefined : pause(SHORT_LIMIT_MS, undefined, { ref: false })
  await Promise.race([all, ...(limit ? [limit] : [])])
  const ran = new Set(rows.map(({ fault, backend }) => `${fault} ${backend}`))
  for (const { fault, backend } of planned)
    if (!ran.has(`${fault} ${backend}`)) rows.push({ ...nothing(fault, backend), wrong: ['was not run to its end'] })
  console.log(summary(rows, (performance.now() - begun) / 1_000))
  const bad = rows.filter(failed).length
  console.log(`${rows.length - bad} passed, ${rows.length > 0 ? bad : 1} failed, ${skipped} skipped`)
  return bad === 0 && rows.length > 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(messageOf(error))
    process.exit(2)
  },
)
