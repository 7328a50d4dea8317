import { Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, row, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, saidText } from '../../../schemas/envelope.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { findVersion, type VersionRow } from '../version-row.ts'
import { mayReview } from './known-reviewers.ts'
import { actorOf, holderOf, requireOpen } from './reviewable.ts'

const LEASE_MS = 15 * 60_000
const HandOverBody = closed({
  to: Type.String({ description: 'the name of a reviewer', maxLength: 512, pattern: '^[\\x21-\\x7e]+$' }),
  reason: Type.Optional(saidText(4_000)),
})
type Step = (tx: Tx, version: VersionRow, call: Call, now: Date) => Promise<{ by: string | null; until: Date | null }>

/** Holding an item of the queue: claim, prolong, give back, hand over. Each may be asked twice and happens once. */
export function leaseRoutes(deps: MarketplaceDeps): Route[] {
  const handle = (step: Step) => async (call: Call) => {
    const answer = await deps.db.transaction(
      async (tx): Promise<Answer> => {
        const version = await findVersion(tx, call.params.id ?? '', 'for update')
        const { by, until } = await step(tx, version, call, deps.now())
        await execute(
          tx,
          'update marketplace.versions set claimed_by = ?, claimed_until = ? where org = ? and id = ?',
          [by, until, version.org, version.id],
        )
        fault('review.after-lease')
        const body = { id: version.id, claimed_by: by, claimed_until: until?.toISOString() ?? null }
        return { status: 200, body }
      },
      { scope: scopeOf(call.principal) },
    )
    fault('review.after-lease-commit')
    return answer
  }

  const post = (act: string, summary: string, step: Step): Route => ({
    method: 'POST',
    path: `/reviews/:id/${act}`,
    summary,
    access: { roles: ['reviewer'] },
    handle: handle(step),
  })
  return [
    post('claim', 'Hold an item for 15 minutes', claim),
    post('heartbeat', 'Hold an item for 15 minutes more', prolong),
    post('release', 'Give an item back to the queue', release),
    post('hand-over', 'Hand an item over to another reviewer', handOver(deps)),
  ]
}

const leaseOf = (by: string, now: Date) => ({ by, until: new Date(now.getTime() + LEASE_MS) })

async function claim(_tx: Tx, version: VersionRow, { principal }: Call, now: Date) {
  requireOpen(version, principal, now)
  return leaseOf(actorOf(principal), now)
}

/** A lease that ran out is prolonged too, as long as nobody else took the item: a tab that slept has lost nothing. */
async function prolong(_tx: Tx, version: VersionRow, { principal }: Call, now: Date) {
  requireOpen(version, principal, now)
  const me = actorOf(principal)
  if (version.claimed_by !== me) throw marketplaceError('claim_lost', 'you do not hold this item; claim it')
  return leaseOf(me, now)
}

async function release(_tx: Tx, version: VersionRow, { principal }: Call, now: Date) {
  requireOpen(version, principal, now)
  return { by: null, until: null }
}

const handOver =
  ({ memberIssuers }: MarketplaceDeps): Step =>
  async (tx, version, call, now) => {
    const { to: name, reason } = checked(HandOverBody, jsonBody(call))
    const { principal } = call
    const [from, to] = [actorOf(principal), reviewerNamed(name, principal.org)]
    if (to === null) throw refused('must be a reviewer of the marketplace')
    if (to === from) throw refused('must be somebody else')
    // Asked again after the answer got lost: it is theirs already, and stays with the time they have.
    if (holderOf(version, now) === to && (await lastHandOver(tx, version, from)) === to)
      return { by: to, until: version.claimed_until }
    requireOpen(version, principal, now)
    if (holderOf(version, now) !== from) throw marketplaceError('claim_lost', 'you do not hold this item; claim it')
    if (!(await mayReview(tx, to, principal.org, memberIssuers)))
      throw refused('must be a member with the role reviewer')
    await execute(
      tx,
      `insert into marketplace.messages (org, id, version_id, kind, author, author_kind, handed_to, text, at)
     values (?, ?, ?, 'hand_over', ?, 'reviewer', ?, ?, ?)`,
      [version.org, uuidv7(), version.id, from, to, reason ?? `Handed over to ${to}.`, now],
    )
    fault('review.after-hand-over')
    return leaseOf(to, now)
  }

/** `subject@org` of a name with or without the organisation; null for one of another organisation. */
function reviewerNamed(name: string, org: string): string | null {
  if (name.endsWith(`@${org}`) && name !== `@${org}`) return name
  return name.includes('@') ? null : `${name}@${org}`
}

const refused = (detail: string) =>
  httpError('body_malformed', `/to ${detail}`, { errors: [{ pointer: '/to', code: 'not_a_reviewer', detail }] })

async function lastHandOver(tx: Tx, { org, id }: VersionRow, from: string): Promise<string | null> {
  const last = await row<{ handed_to: string }>(
    tx,
    `select handed_to from marketplace.messages where org = ? and version_id = ? and kind = 'hand_over' and author = ?
     order by at desc, id desc limit 1`,
    [org, id, from],
  )
  return last?.handed_to ?? null
}
