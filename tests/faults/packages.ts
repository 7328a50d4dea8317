import { type KeyLike, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Change, packageBytes } from '../support/packages.ts'
import type { Finding } from './oracle.ts'
import { insist, type Server, type Stage } from './stage.ts'

const EVENTS = ['wpk.submitted', 'wpk.verdict', 'wpk.reviewed', 'wpk.published']

type Sent = Change & { visibility?: 'private'; privateKey?: KeyLike }

/** Uploads a package and waits for its verdict. Every step may be repeated after a crash, and none may happen twice. */
export async function uploadPackage(
  { orgs }: Stage,
  server: Server,
  name: string,
  { visibility, privateKey, ...change }: Sent = {},
): Promise<string> {
  const bytes = packageBytes({ name, ...change })
  const key = privateKey ?? (await readFile(orgs.demo.private_key_path, 'utf8'))
  const signature = sign('sha256', bytes, key).toString('base64')
  const body = {
    ...{ content: bytes.toString('base64'), content_encoding: 'base64', signature },
    ...(visibility ? { visibility } : {}),
  }
  const uploaded = await insist(server, 'POST', '/wpk/upload', { ...partner(orgs), body })
  const { id } = uploaded.body as { id: string }
  await reach(orgs, server, id, ['in_review', 'approved', 'published'])
  return id
}

/** Claims and approves an uploaded package, and waits until it is public, and verdict and decision are signed and recorded. */
export async function approvePackage({ orgs }: Stage, server: Server, id: string): Promise<void> {
  const body = { decision: 'approve', justification: 'read whole' }
  const reviewer = { token: orgs.atom.tokens.reviewer as string, service: 'marketplace' as const }
  // 409: the decision was stored before the crash that ate the answer.
  const decided = ({ status }: { status: number }) => status === 200 || status === 409
  await insist(server, 'POST', `/reviews/${id}/claim`, reviewer, decided)
  await insist(server, 'POST', `/wpk/review/${id}`, { ...reviewer, body }, decided)
  await reach(orgs, server, id, ['published'])
  const isSigned = ({ body }: { body: unknown }) => (body as { attestations: unknown[] }).attestations.length >= 2
  await insist(server, 'GET', `/wpk/${id}/verdict`, partner(orgs), isSigned)
}

export const partner = ({ demo }: Stage['orgs']) => ({ token: demo.tokens.partner, service: 'marketplace' as const })

export const reach = (orgs: Stage['orgs'], server: Server, id: string, wanted: readonly string[]) =>
  insist(server, 'GET', `/wpk/${id}`, partner(orgs), ({ body }) => wanted.includes((body as { status: string }).status))

/** Each package has one version, one decision, each of its events once, and one signed statement on either. */
export async function packagesFound({ world }: Stage, names: readonly string[]): Promise<Finding> {
  const versions = await world.owner.query<{ name: string; versions: number; published: number; decisions: number }>(
    `select v.name, count(distinct v.id)::int as versions, count(d.id)::int as decisions,
       (count(distinct v.id) filter (where v.status = 'published'))::int as published
     from marketplace.versions v left join marketplace.decisions d on d.org = v.org and d.version_id = v.id
     where v.name = any(?::text[]) group by v.name`,
    [names],
  )
  const events = await world.owner.query<{ key: string; type: string; n: number }>(
    `select key, headers->>'ce_type' as type, count(*)::int as n from platform.event_log
     where topic = 'atom.wpk' and key = any(?::text[]) group by 1, 2`,
    [names],
  )
  const recorded = await world.owner.query<{ name: string; statements: number; entries: number }>(
    `select v.name, count(distinct a.id)::int as statements, count(distinct l.seq)::int as entries
     from marketplace.versions v left join marketplace.attestations a on a.org = v.org and a.version_id = v.id
       left join marketplace.audit_log l on l.entry::jsonb #>> '{detail,version}' = v.id::text
     where v.name = any(?::text[]) group by v.name`,
    [names],
  )
  const wrong: string[] = []
  let double = 0
  for (const name of names) {
    const found = versions.find((one) => one.name === name)
    double += Math.max(0, (found?.versions ?? 0) - 1) + Math.max(0, (found?.decisions ?? 0) - 1)
    if (found?.decisions !== 1) wrong.push(`${found?.decisions ?? 0} decisions on ${name}`)
    const { statements = 0, entries = 0 } = recorded.find((one) => one.name === name) ?? {}
    double += Math.max(0, statements - 2) + Math.max(0, entries - 2)
    if (statements !== 2 || entries !== 2) wrong.push(`${statements} statements and ${entries} entries on ${name}`)
    for (const type of EVENTS) {
      const n = events.find((one) => one.key === name && one.type === type)?.n ?? 0
      double += Math.max(0, n - 1)
      if (n !== 1) wrong.push(`${n} events ${type} of ${name}`)
    }
  }
  const counted = versions.reduce((sum, { published }) => sum + published, 0)
  return {
    acknowledged: names.length,
    counted,
    lost: names.length - versions.filter((v) => v.published > 0).length,
    double,
    wrong,
  }
}
