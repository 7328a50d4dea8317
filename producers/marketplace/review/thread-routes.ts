import { uuidv7 } from 'uuidv7'
import { isOperator, type Principal, scopeOf } from '../../../platform/auth/principal.ts'
import { execute, row, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, saidText } from '../../../schemas/envelope.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { findVersion, threadOf, type VersionRow } from '../version-row.ts'
import { actorOf } from './reviewable.ts'
import { entryOf, threadEntries } from './thread.ts'

const MessageBody = closed({ text: saidText(4_000) })
type MessageRow = { id: string; author: string; text: string; at: Date }
/** More than people write to each other about one version. */
const MOST_MESSAGES = 200

/** What reviewer and publisher say to each other, over all versions that answer one another. */
export function threadRoutes(deps: MarketplaceDeps): Route[] {
  async function read(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const { version, found } = await deps.db.transaction(
      async (tx) => {
        const version = await ownOrAny(tx, call)
        return { version, found: await threadEntries(tx, version, after, limit + 1) }
      },
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ at, id }) => [at.toISOString(), id])
    const body = { thread_id: threadOf(version), entries: items.map(entryOf), next }
    return { status: 200, headers: nextLink(call.path, call.query, next), body }
  }

  async function write(call: Call): Promise<Answer> {
    const { text } = checked(MessageBody, jsonBody(call))
    const id = call.params.id ?? ''
    return deps.db.transaction((tx) => store(tx, call, text), {
      scope: scopeOf(call.principal),
      locks: [`marketplace.messages/${id}`],
    })
  }

  async function store(tx: Tx, call: Call, text: string): Promise<Answer> {
    const version = await ownOrAny(tx, call)
    const { org } = version
    const author = actorOf(call.principal)
    const last = await row<MessageRow & { n: number }>(
      tx,
      `select id, author, text, at, count(*) over ()::int as n from marketplace.messages
       where org = ? and version_id = ? and kind = 'message' order by at desc, id desc limit 1`,
      [org, version.id],
    )
    // Sent again because the answer got lost: who repeats the last word says nothing new.
    if (last?.author === author && last.text === text) return { status: 200, body: messageOf(last, version) }
    if ((last?.n ?? 0) >= MOST_MESSAGES)
      throw marketplaceError('thread_full', `a version has at most ${MOST_MESSAGES} messages`)
    const made = { id: uuidv7(), author, text, at: deps.now() }
    await execute(
      tx,
      `insert into marketplace.messages (org, id, version_id, kind, author, author_kind, text, at)
       values (?, ?, ?, 'message', ?, ?, ?, ?)`,
      [org, made.id, version.id, author, sideOf(call.principal, version), text, made.at],
    )
    return { status: 201, body: messageOf(made, version) }
  }

  const roles = ['reviewer', 'partner'] as const
  return [
    {
      method: 'GET',
      path: '/reviews/:id/thread',
      summary: 'Versions, messages and decisions in order, for reviewers and the publisher',
      access: { roles, scopes: ['read'] },
      handle: read,
    },
    {
      method: 'POST',
      path: '/wpk/:id/messages',
      summary: 'Write to the reviewers or the publisher of a version',
      access: { roles, scopes: ['publish'] },
      handle: write,
    },
  ]
}

/** What is public of others is, to these calls, not there. */
async function ownOrAny(tx: Tx, { params, principal }: Call): Promise<VersionRow> {
  const version = await findVersion(tx, params.id ?? '')
  if (isOperator(principal) || version.org === principal.org) return version
  throw httpError('not_found', 'no package version with this id')
}

const sideOf = ({ org }: Principal, version: VersionRow) => (org === version.org ? 'publisher' : 'reviewer')

const messageOf = ({ id, author, text, at }: MessageRow, version: VersionRow) => ({
  id,
  version_id: version.id,
  thread_id: threadOf(version),
  by: author,
  text,
  at: at.toISOString(),
})
