import type { Bus } from '../../platform/bus/bus.ts'
import { POSITION_WORDS, type Position, PositionInvalid, parsePosition } from '../../platform/bus/position.ts'
import type { Clock } from '../../platform/clock.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, pageRequest } from '../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import { type Topic, topicList } from '../../schemas/topics.ts'
import { CSV_COLUMNS, csvLine, eventView } from './event-view.ts'
import { type Filter, matches, type Range, scan } from './scan.ts'

type Deps = { bus: Bus; now: Clock; topics?: readonly Topic[] }

/** A page with a rare filter ends after so many records, with fewer events and a cursor to go on. */
const MOST_SCANNED = 20_000
/** In a cursor: up to the end as it is when the cursor is used. */
const OPEN_END = '-'
const EXPORT_CHUNK = 64 * 1024

/** The log for people: pages of a range, and the whole of one as a file. */
export function eventRoutes({ bus, now, topics = topicList }: Deps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const topic = topicOf(call, topics)
    const { limit, after } = pageRequest(call.query, Array(topic.partitions * 2).fill('text'))
    const range = after ? await resumed(bus, topic, after) : await rangeOf(bus, call, topic, now())
    const filter = filterOf(call)
    const events: object[] = []
    let scanned = 0
    for await (const record of known(scan(bus, range, filter))) {
      scanned += 1
      if (matches(record, filter)) events.push(eventView(record))
      if (events.length === limit || scanned === MOST_SCANNED) break
    }
    const more = range.from.some((at, partition) => at !== range.until[partition])
    const next = more && (events.length === limit || scanned === MOST_SCANNED) ? cursor(range.from, range.until) : null
    const resume = cursor(range.from, Array(topic.partitions).fill(OPEN_END))
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { events, scanned, next, resume } }
  }

  async function exported(call: Call): Promise<Answer> {
    const format = call.query.get('format') ?? 'ndjson'
    if (format !== 'ndjson' && format !== 'csv') throw httpError('parameter_invalid', '`format` is ndjson or csv')
    const topic = topicOf(call, topics)
    const range = await rangeOf(bus, call, topic, now())
    const type = format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson'
    const disposition = `attachment; filename="${topic.name}.${format}"`
    const stream = inChunks(lines(bus, range, filterOf(call), format))
    return { status: 200, type, headers: { 'content-disposition': disposition }, stream }
  }

  const access = { roles: ['data'] as const }
  return [
    { method: 'GET', path: '/data/events', summary: 'Events of a range, oldest first', access, handle: list },
    {
      method: 'GET',
      path: '/data/events/export',
      summary: 'A range as NDJSON or CSV; the last line tells the number of rows',
      access,
      handle: exported,
    },
  ]
}

/** The lines of an export. Only a whole one ends with its number of rows, so that a cut one is noticed. */
async function* lines(bus: Bus, range: Range, filter: Filter, format: 'ndjson' | 'csv'): AsyncGenerator<string> {
  let rows = 0
  if (format === 'csv') yield `${[...CSV_COLUMNS, 'data'].join(',')}\r\n`
  for await (const record of scan(bus, range, filter)) {
    if (!matches(record, filter)) continue
    rows += 1
    yield format === 'csv' ? csvLine(record) : `${JSON.stringify(eventView(record))}\n`
  }
  yield format === 'csv' ? `#rows,${rows}\r\n` : `${JSON.stringify({ rows })}\n`
}

async function* inChunks(parts: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = ''
  for await (const part of parts) {
    chunk += part
    if (chunk.length < EXPORT_CHUNK) continue
    yield chunk
    chunk = ''
  }
  if (chunk) yield chunk
}

function topicOf({ query }: Call, topics: readonly Topic[]): Topic {
  const topic = topics.find(({ name }) => name === query.get('topic'))
  if (!topic) throw httpError('parameter_invalid', `\`topic\` is one of ${topics.map(({ name }) => name).join(', ')}`)
  return topic
}

const filterOf = ({ query }: Call): Filter => ({ key: query.get('key'), type: query.get('type') })

async function rangeOf(bus: Bus, { query }: Call, topic: Topic, now: Date): Promise<Range> {
  const from = await boundsOf(bus, topic, positionOf(query, 'from', 'earliest', now))
  const until = await boundsOf(bus, topic, positionOf(query, 'to', 'latest', now))
  return { topic, from, until }
}

async function resumed(bus: Bus, topic: Topic, parts: string[]): Promise<Range> {
  const from = parts.slice(0, topic.partitions)
  const until = parts.slice(topic.partitions)
  if (until.includes(OPEN_END)) return { topic, from, until: await boundsOf(bus, topic, { kind: 'latest' }) }
  return { topic, from, until }
}

function positionOf(query: URLSearchParams, name: 'from' | 'to', fallback: string, now: Date): Position {
  const position = parsePosition(query.get(name) ?? fallback, now)
  if (!position) throw httpError('parameter_invalid', `\`${name}\` is ${POSITION_WORDS}`)
  return position
}

const boundsOf = async (bus: Bus, topic: Topic, position: Position): Promise<string[]> =>
  (await bus.bounds(topic, position).catch(refused)).map(({ at }) => at)

async function* known<T>(found: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* found
  } catch (error) {
    refused(error)
  }
}

function refused(error: unknown): never {
  if (error instanceof PositionInvalid) throw httpError('parameter_invalid', error.message)
  throw error
}

const cursor = (from: readonly string[], until: readonly string[]): string =>
  Buffer.from(JSON.stringify([...from, ...until])).toString('base64url')
