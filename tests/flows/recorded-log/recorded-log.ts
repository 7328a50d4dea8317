import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'

/** A record as it stood in the log; the partition follows from the key, the value is UTF-8 JSON. */
export type RecordedEvent = { topic: string; key: string; headers: Record<string, string>; value: string }
/** `setup` is what metering was told by other ways than events: rows of its tables, as JSON text. */
export type RecordedLog = { setup: { table: string; row: string }[]; events: RecordedEvent[] }

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
export const LOG_FILE = here('log.ndjson.gz')
export const RESULTS_FILE = here('results.ndjson')

/** The committed capture. */
export function readLog(): RecordedLog {
  const lines = gunzipSync(readFileSync(LOG_FILE)).toString('utf8').trimEnd().split('\n')
  const all = lines.map((line) => JSON.parse(line) as { table: string; row: string } | RecordedEvent)
  return {
    setup: all.filter((one) => 'table' in one),
    events: all.filter((one) => 'topic' in one),
  }
}

export function writeLog({ setup, events }: RecordedLog): void {
  const lines = [...setup, ...events].map((one) => `${JSON.stringify(one)}\n`)
  writeFileSync(LOG_FILE, gzipSync(lines.join(''), { level: 9 }))
}

export const readResults = (): string => readFileSync(RESULTS_FILE, 'utf8')
export const writeResults = (text: string): void => writeFileSync(RESULTS_FILE, text)
