import { setTimeout } from 'node:timers/promises'
import { scopeOf } from '../../platform/auth/principal.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink } from '../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../platform/http/route.ts'
import type { FeedDeps } from './deps.ts'
import { readCursor } from './feed-cursor.ts'
import { type FeedPage, type FeedRequest, newestOf, readFeed } from './read-feed.ts'
import { toldTypes, typePatterns, typesOf } from './told-events.ts'

const LONGEST_WAIT_S = 30
const LOOK_EVERY_MS = 250
const BATCH = 'application/cloudevents-batch+json'

/** GET /feed: what the caller's organisation is told, to be read on from where it was. */
export function feedRoute({ db }: Pick<FeedDeps, 'db'>): Route {
  let newest: Promise<bigint> = Promise.resolve(0n)
  let lookedAt = Number.NEGATIVE_INFINITY
  /** Asked once for all who wait. */
  function look(): Promise<bigint> {
    if (performance.now() - lookedAt >= LOOK_EVERY_MS) {
      lookedAt = performance.now()
      newest = newestOf(db)
    }
    return newest
  }

  async function read(call: Call): Promise<Answer> {
    const { wait, ...request } = requestOf(call.query)
    const scope = scopeOf(call.principal)
    const until = performance.now() + wait * 1000
    let waitedMs = 0
    let page = await readFeed(db, scope, request)
    while (page.events.length === 0 && performance.now() < until) {
      const { after } = readCursor(page.next)
      const begun = performance.now()
      while ((await look()) <= after && performance.now() < until)
        await setTimeout(Math.min(LOOK_EVERY_MS, Math.max(1, until - performance.now())))
      waitedMs += performance.now() - begun
      page = await readFeed(db, scope, { ...request, from: readCursor(page.next) })
    }
    return { ...answer(call, page), waitedMs }
  }
  return openGet('/feed', 'What happened, to be read on from a cursor', read)
}

function answer(call: Call, { events, next, caughtUp }: FeedPage): Answer {
  const headers = { ...nextLink(call.path, call.query, next), 'cache-control': 'no-store' }
  // As they were stored, and as webhooks are told of them: byte for byte.
  const list = `[${events.join(',')}]`
  if ((call.header('accept') ?? '').includes(BATCH))
    return { status: 200, headers, type: BATCH, bytes: Buffer.from(list) }
  const text = `{"events":${list},"next":${JSON.stringify(next)},"caught_up":${caughtUp}}`
  return { status: 200, headers, type: 'application/json', bytes: Buffer.from(text) }
}

function requestOf(query: URLSearchParams): FeedRequest & { wait: number } {
  const cursor = query.get('cursor') ?? 'earliest'
  return {
    from: cursor === 'earliest' || cursor === 'latest' ? cursor : readCursor(cursor),
    types: typesIn(query.get('types')),
    limit: wholeNumber(query, 'limit', 1, 500, 100),
    wait: wholeNumber(query, 'wait', 0, LONGEST_WAIT_S, 0),
  }
}

function typesIn(text: string | null): readonly string[] {
  if (text === null) return toldTypes
  const patterns = text.split(',').map((one) => one.trim())
  const unknown = patterns.find((one) => !typePatterns.includes(one))
  if (unknown !== undefined)
    throw httpError('parameter_invalid', `\`types\`: there is no ${unknown}; there are ${typePatterns.join(', ')}`)
  return typesOf(patterns)
}

function wholeNumber(query: URLSearchParams, name: string, least: number, most: number, fallback: number): number {
  const text = query.get(name) ?? String(fallback)
  if (!/^\d{1,3}$/.test(text) || Number(text) < least || Number(text) > most)
    throw httpError('parameter_invalid', `\`${name}\` is a whole number from ${least} to ${most}`)
  return Number(text)
}
