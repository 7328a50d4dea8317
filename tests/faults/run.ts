import { kafkaMissing } from '../../deploy/kafka/jars.ts'
import { messageOf } from '../../platform/errors.ts'
import { pointRuns, runChain, runPoint } from './at-points.ts'
import { type Case, everywhere, ofBrokers } from './cases.ts'
import type { Finding } from './oracle.ts'
import { openStage, type Stage } from './stage.ts'
import { type Backend, openWorld, type World } from './world.ts'

type Row = Finding & { fault: string; backend: string; kills: number; seconds: number }
type Done = Finding & { fault: string; kills: number; seconds: number }
type Job = { fault: string; run(stage: Stage): Promise<Done[]> }
/** Works off its jobs one after the other on a world of its own; lanes may share a list. */
type Lane = { backend: Backend; brokers: 1 | 3; jobs: Job[] }

/** Most of a run is waiting for starts and sessions, so some lanes go side by side even on two cores. */
const LANES_AT_ONCE = 4
/** Points in one chain of processes; the loads of all of them are compared when the last process runs. */
const CHAIN = 8
const usage = 'npm run faults [-- --short] [-- --backend embedded|kafka|both] [-- --only TEXT]'

function lanesOf(backend: Backend, long: boolean, only: string | undefined): Lane[] {
  const wanted = ({ fault }: Pick<Job, 'fault'>) => only === undefined || fault.includes(only)
  const ofCases = (cases: readonly Case[]) =>
    cases.map(({ fault, run }): Job => single(fault, (stage) => run(stage, long))).filter(wanted)
  const runs = pointRuns(backend, long).filter(({ spec }) => wanted({ fault: `dies at ${spec}` }))
  const points = runs
    .filter(({ drive }) => drive !== 'usage')
    .map((one) => single(`dies at ${one.spec}`, (stage) => runPoint(stage, one)))
  const chained = runs.filter(({ drive }) => drive === 'usage')
  for (let at = 0; at < chained.length; at += CHAIN) {
    const chain = chained.slice(at, at + CHAIN)
    points.unshift({
      fault: `dies at ${chain.map(({ spec }) => spec).join(', ')}`,
      run: (stage) => runChain(stage, chain),
    })
  }
  const lane = (jobs: Job[], brokers: 1 | 3 = 1): Lane => ({ backend, brokers, jobs })
  if (backend === 'embedded') return [lane(ofCases(everywhere)), lane(points)]
  // A killed member of a Kafka group is missed after 10 s only: more lanes wait at the same time.
  return [lane(points), lane(points), lane(ofCases(everywhere)), lane(ofCases(ofBrokers), 3)]
}

async function work({ backend, brokers, jobs }: Lane, rows: Row[]): Promise<void> {
  while (jobs.length > 0) {
    let world: World | undefined
    let stage: Stage | undefined
    try {
      world = await openWorld(backend, brokers)
      stage = await openStage(world)
      for (let job = jobs.shift(); job; job = jobs.shift()) {
        const done = await attempt(job, stage, brokers === 3 ? 'kafka × 3' : backend)
        rows.push(...done)
        for (const row of done) process.stdout.write(`${line(row)}\n`)
        // What the failed run left behind would be found again by the next one.
        if (done.some(failed)) break
      }
    } catch (error) {
      if (stage) throw error
      rows.push({ ...nothing('start'), backend, wrong: [messageOf(error)] })
      return
    } finally {
      await world?.close()
    }
  }
}

function single(fault: string, run: (stage: Stage) => Promise<Finding & { kills: number }>): Job {
  return {
    fault,
    async run(stage) {
      const begun = performance.now()
      return [{ fault, ...(await run(stage)), seconds: (performance.now() - begun) / 1_000 }]
    },
  }
}

async function attempt({ fault, run }: Job, stage: Stage, backend: string): Promise<Row[]> {
  const begun = performance.now()
  try {
    return (await run(stage)).map((done) => ({ ...done, backend }))
  } catch (error) {
    const seconds = (performance.now() - begun) / 1_000
    return [{ ...nothing(fault), backend, wrong: [messageOf(error)], seconds }]
  }
}

const nothing = (fault: string): Row => ({
  fault,
  backend: '',
  kills: 0,
  acknowledged: 0,
  counted: 0,
  lost: 0,
  double: 0,
  wrong: [],
  seconds: 0,
})
const failed = (row: Row) => row.lost > 0 || row.double > 0 || row.wrong.length > 0 || row.acknowledged === 0

function line({ fault, backend, kills, acknowledged, counted, lost, double, seconds, wrong }: Row): string {
  const numbers = [kills, acknowledged, counted, lost, double, seconds.toFixed(1)]
  const cells = [fault, backend, ...numbers.map((n) => String(n).padStart(7))]
  return `| ${cells.join(' | ')} |${wrong.length > 0 ? ` ${wrong.join('; ')}` : ''}`
}

function backendsOf(args: readonly string[]): Backend[] {
  const at = args.indexOf('--backend')
  const named = at < 0 ? 'both' : args[at + 1]
  if (named === 'both') return ['embedded', 'kafka']
  if (named === 'embedded' || named === 'kafka') return [named]
  throw new Error(usage)
}

async function main(args: readonly string[]): Promise<number> {
  const begun = performance.now()
  const long = !args.includes('--short')
  const backends = backendsOf(args)
  const at = args.indexOf('--only')
  const missing = backends.includes('kafka') ? await kafkaMissing() : null
  if (missing !== null) {
    if (!backends.includes('embedded') || (process.env.ATOM_REQUIRE ?? '').split(',').includes('kafka'))
      throw new Error(`Kafka is needed, and ${missing}`)
    console.warn(`SKIPPED on Kafka: ${missing}`)
    backends.splice(backends.indexOf('kafka'), 1)
  }
  const lanes = backends.flatMap((one) => lanesOf(one, long, at < 0 ? undefined : args[at + 1]))
  const rows: Row[] = []
  const waiting = lanes.filter(({ jobs }) => jobs.length > 0)
  console.log('| fault | backend | kills | acknowledged | counted | lost | double | seconds |')
  console.log('|---|---|--:|--:|--:|--:|--:|--:|')
  await Promise.all(
    Array.from({ length: LANES_AT_ONCE }, async () => {
      for (let lane = waiting.shift(); lane; lane = waiting.shift()) await work(lane, rows)
    }),
  )
  const sum = (of: 'kills' | 'acknowledged' | 'lost' | 'double') => rows.reduce((total, row) => total + row[of], 0)
  const bad = rows.filter(failed)
  const seconds = ((performance.now() - begun) / 1_000).toFixed(0)
  console.log(
    `\n${rows.length} runs, ${sum('kills')} kills, ${sum('acknowledged')} acknowledged, ${sum('lost')} lost, ` +
      `${sum('double')} double, ${bad.length} runs failed, ${seconds} s`,
  )
  for (const row of bad) console.log(`FAILED ${row.backend}: ${row.fault}: ${row.wrong.join('; ') || 'see the table'}`)
  return bad.length === 0 && rows.length > 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(messageOf(error))
    process.exit(2)
  },
)
