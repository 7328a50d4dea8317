import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { keyLock } from '../../../platform/bus/outbox.ts'
import { execute, row, rows, sqlState, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, saidText } from '../../../schemas/envelope.ts'
import { wpkVisibilityChanged } from '../../../schemas/events/wpk_visibility.changed.ts'
import { WPK_NAME } from '../../../schemas/wpk.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { actorOf } from '../review/reviewable.ts'
import { tellReader } from './tell-readers.ts'
import { tellVisibility } from './tell-visibility.ts'
import { Visibility } from './visibility.ts'

const VisibilityBody = closed({ visibility: Visibility })
const ReaderBody = closed({ reader: Type.String({ minLength: 1, maxLength: 128 }) })
const AllowanceBody = closed({
  org: Type.String({ minLength: 1, maxLength: 128 }),
  reason: saidText(4_000),
})
/** An organisation names its readers one by one; who needs more of them publishes. */
const MAX_READERS = 1_000

/** What the owner of a package name decides of it, and what an operator allows. Each may be said twice. */
export function nameRoutes(deps: Pick<MarketplaceDeps, 'db' | 'now' | 'wake'>): Route[] {
  const asOwner = async (call: Call, act: (tx: Tx, name: string, org: string) => Promise<Answer>) => {
    const name = call.params.name ?? ''
    const { org } = call.principal
    const answer = await deps.db.transaction(
      async (tx) => {
        await requireOwned(tx, name, org)
        return act(tx, name, org)
      },
      // Uploads of the name store its visibility beside it and hold the same lock.
      { scope: scopeOf(call.principal), locks: [keyLock(wpkVisibilityChanged.topic, name)] },
    )
    deps.wake()
    return answer
  }

  const setVisibility = (call: Call) => {
    const { visibility } = checked(VisibilityBody, jsonBody(call))
    return asOwner(call, async (tx, name, org) => {
      const changed = await execute(
        tx,
        'update marketplace.names set visibility = ? where name = ? and org = ? and visibility <> ?',
        [visibility, name, org, visibility],
      )
      if (changed > 0) await tellVisibility(tx, { org, name, visibility }, { call, now: deps.now() })
      return { status: 200, body: { name, visibility } }
    })
  }

  const readers = (call: Call) =>
    asOwner(call, async (tx, name, org) => {
      const found = await rows<{ reader: string; added_at: Date }>(
        tx,
        'select reader, added_at from marketplace.name_readers where org = ? and name = ? order by reader limit ?',
        [org, name, MAX_READERS],
      )
      return {
        status: 200,
        body: { name, readers: found.map((one) => ({ ...one, added_at: one.added_at.toISOString() })), next: null },
      }
    })

  const addReader = (call: Call) => {
    const { reader } = checked(ReaderBody, jsonBody(call))
    return asOwner(call, async (tx, name, org) => {
      const found = await row<{ count: number }>(
        tx,
        'select count(*)::int as count from marketplace.name_readers where org = ? and name = ? and reader <> ?',
        [org, name, reader],
      )
      if ((found?.count ?? 0) >= MAX_READERS)
        throw httpError('parameter_invalid', `a package has at most ${MAX_READERS} readers`)
      const now = deps.now()
      const added = await known(
        execute(
          tx,
          `insert into marketplace.name_readers (org, name, reader, added_at, told_at) values (?, ?, ?, ?, ?)
           on conflict do nothing`,
          [org, name, reader, now, now],
        ),
      )
      if (added > 0)
        await tellReader(tx, { org, name, reader, access: 'granted' }, { now, traceparent: call.traceparent })
      return { status: 200, body: { name, reader } }
    })
  }

  const removeReader = (call: Call) =>
    asOwner(call, async (tx, name, org) => {
      const reader = call.params.org ?? ''
      const removed = await execute(
        tx,
        'delete from marketplace.name_readers where org = ? and name = ? and reader = ?',
        [org, name, reader],
      )
      const about = { now: deps.now(), traceparent: call.traceparent }
      if (removed > 0) await tellReader(tx, { org, name, reader, access: 'ended' }, about)
      return { status: 204 }
    })

  async function allow(call: Call): Promise<Answer> {
    const { org, reason } = checked(AllowanceBody, jsonBody(call))
    const name = call.params.name ?? ''
    if (name.length > 128 || !new RegExp(WPK_NAME).test(name))
      throw httpError('parameter_invalid', 'this is no name that a package can have')
    await deps.db.transaction(
      (tx) =>
        known(
          execute(
            tx,
            `insert into marketplace.name_allowances (org, name, reason, allowed_by, allowed_at) values (?, ?, ?, ?, ?)
             on conflict do nothing`,
            [org, name, reason, actorOf(call.principal), deps.now()],
          ),
        ),
      { scope: scopeOf(call.principal) },
    )
    return { status: 200, body: { name, org } }
  }

  const owner = { roles: ['partner'] as const }
  const path = '/wpk/names/:name'
  return [
    {
      method: 'POST',
      path: `${path}/visibility`,
      summary: 'Make an own package public or private',
      access: owner,
      handle: setVisibility,
    },
    {
      method: 'GET',
      path: `${path}/readers`,
      summary: 'Who reads an own private package',
      access: owner,
      handle: readers,
    },
    {
      method: 'POST',
      path: `${path}/readers`,
      summary: 'Let an organisation read an own private package',
      access: owner,
      handle: addReader,
    },
    { method: 'DELETE', path: `${path}/readers/:org`, summary: 'End that', access: owner, handle: removeReader },
    {
      method: 'POST',
      path: `${path}/allow`,
      summary: 'Allow an organisation a name that looks like another',
      access: { roles: ['reviewer', 'admin'] },
      handle: allow,
    },
  ]
}

async function requireOwned(tx: Tx, name: string, org: string): Promise<void> {
  const owned = await row(tx, 'select 1 from marketplace.names where name = ? and org = ?', [name, org])
  if (!owned) throw httpError('not_found', 'no package of yours with this name')
}

/** A foreign key that is not met: the body names an organisation that does not exist. */
async function known<T>(written: Promise<T>): Promise<T> {
  try {
    return await written
  } catch (error) {
    if (sqlState(error) === '23503') throw httpError('not_found', 'no organisation with this name')
    throw error
  }
}
