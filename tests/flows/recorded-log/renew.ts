import { existsSync } from 'node:fs'
import { topics } from '../../../schemas/topics.ts'
import { stopTestServer } from '../../support/database.ts'
import { recordLog } from './record.ts'
import {
  LOG_FILE,
  RESULTS_FILE,
  type RecordedEvent,
  type RecordedLog,
  readLog,
  readResults,
  writeLog,
  writeResults,
} from './recorded-log.ts'
import { replay } from './replay.ts'

/**
 * `npm run record-log` makes the log and its results anew; `-- --results` keeps what was reported and done, for a
 * change that is meant to count or rate differently: what metering says about invoices is a result too, and replaced.
 * Says what is different, so that a commit can say why.
 */
async function main(args: readonly string[]): Promise<void> {
  const before = existsSync(LOG_FILE) ? readLog() : { setup: [], events: [] }
  const keep = args.includes('--results')
  const log = keep ? withBilling(before, (await replay(before)).invoices) : await recordLog()
  const { results } = await replay(log)
  say('log', counts(before), counts(log))
  const old = existsSync(RESULTS_FILE) ? readResults() : ''
  say('results', tables(old), tables(results))
  const [was, is] = [new Set(old.split('\n')), new Set(results.split('\n'))]
  const [gone, come] = [[...was].filter((line) => !is.has(line)), [...is].filter((line) => !was.has(line))]
  console.log(`${gone.length} result lines went, ${come.length} came`)
  if (keep) for (const line of [...gone.map((one) => `- ${one}`), ...come.map((one) => `+ ${one}`)]) console.log(line)
  writeLog(log)
  writeResults(results)
}

/** The log with the events about invoices as they are said now, each at its place. */
function withBilling(log: RecordedLog, invoices: readonly RecordedEvent[]): RecordedLog {
  const places = log.events.filter(({ topic }) => topic === topics.billing.name).length
  if (places !== invoices.length) throw new Error(`${invoices.length} billing events for ${places} places: record anew`)
  const said = [...invoices]
  return { ...log, events: log.events.map((one) => (one.topic === topics.billing.name ? (said.shift() ?? one) : one)) }
}

const counts = ({ events }: RecordedLog): Map<string, number> =>
  tally(events.map(({ headers }) => headers.ce_type ?? ''))
const tables = (text: string): Map<string, number> =>
  tally(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.slice(0, line.indexOf(' '))),
  )

function tally(names: readonly string[]): Map<string, number> {
  const counted = new Map<string, number>()
  for (const name of names) counted.set(name, (counted.get(name) ?? 0) + 1)
  return counted
}

function say(what: string, before: Map<string, number>, after: Map<string, number>): void {
  for (const name of new Set([...before.keys(), ...after.keys()]))
    console.log(`${what} ${name}: ${before.get(name) ?? 0} -> ${after.get(name) ?? 0}`)
}

try {
  await main(process.argv.slice(2))
} finally {
  await stopTestServer()
}
