import { type Command, type Context, EXIT, needed, text, UsageError } from './command.ts'
import { Unreachable } from './data-api.ts'

type Event = { recorded_at: string; key: string; type: string | null; id: string | null; position: string } & (
  | { data: unknown }
  | { data_base64: string }
)
type Page = { events: Event[]; next: string | null; resume: string }

const POLL_MS = 500
const filters = {
  topic: { type: 'string' },
  from: { type: 'string' },
  key: { type: 'string' },
  type: { type: 'string' },
} as const

export const tailCommand: Command = {
  name: 'events tail',
  usage: '--topic T [--from last:10] [--key K] [--type T] [--count N]',
  summary: 'events as they come, until Ctrl-C or N of them',
  options: { ...filters, count: { type: 'string' } },
  async run(context, values) {
    const count = text(values, 'count')
    if (count !== undefined && !/^[1-9]\d{0,8}$/.test(count)) throw new UsageError('--count is a whole number')
    let left = count === undefined ? Number.POSITIVE_INFINITY : Number(count)
    const filter = { topic: needed(values, 'topic'), key: text(values, 'key'), type: text(values, 'type') }
    let cursor: string | undefined
    while (left > 0 && !context.interrupted()) {
      const query = cursor === undefined ? { from: text(values, 'from') ?? 'last:10' } : { cursor }
      const limit = String(Math.min(left, 200))
      const page = await context.api.get<Page>('/data/events', { ...filter, ...query, limit })
      for (const event of page.events) await context.out(context.json ? `${JSON.stringify(event)}\n` : line(event))
      left -= page.events.length
      cursor = page.resume
      if (page.next === null && left > 0) await context.pause(POLL_MS)
    }
    return EXIT.ok
  },
}

export const exportCommand: Command = {
  name: 'events export',
  usage: '--topic T [--from P] [--to P] [--key K] [--type T] [--format ndjson|csv]',
  summary: 'a range of events; P is earliest, latest, offset:n, time:…, ago:2h or last:n',
  options: { ...filters, to: { type: 'string' }, format: { type: 'string' } },
  async run(context, values) {
    const query = {
      topic: needed(values, 'topic'),
      from: text(values, 'from'),
      to: text(values, 'to'),
      key: text(values, 'key'),
      type: text(values, 'type'),
      format: text(values, 'format') ?? 'ndjson',
    }
    const rows = await writeCounted(context, context.api.stream('/data/events/export', query))
    context.say(`${rows} events`)
    return EXIT.ok
  },
}

/** Writes all but the last line, which tells how many rows there must be: without it the export was cut off. */
async function writeCounted(context: Context, parts: AsyncIterable<string>): Promise<number> {
  let last = ''
  for await (const part of parts) {
    const held = last + part
    // A line may end in the next part, so the last line is found only once the line before it is whole.
    const cut = held.lastIndexOf('\n', held.length - 2) + 1
    if (cut > 0) await context.out(held.slice(0, cut))
    last = held.slice(cut)
  }
  const end = /^(?:\{"rows":(\d+)\}|#rows,(\d+))\r?\n$/.exec(last)
  if (!end) throw new Unreachable('the export was cut off: its last line, the number of rows, is missing')
  return Number(end[1] ?? end[2])
}

function line(event: Event): string {
  const data = 'data' in event ? JSON.stringify(event.data) : event.data_base64
  return `${event.recorded_at}  ${event.key}  ${event.type ?? '-'}  ${event.id ?? '-'}  ${data}\n`
}
