import { type Static, Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { parseUtcTime } from '../../../platform/utc-time.ts'
import { closed } from '../../../schemas/envelope.ts'
import { currentPolicy } from '../../../schemas/policy/policy-document.ts'
import { marketplaceError } from '../errors.ts'
import type { AcceptedFinding } from '../policy/decide-by-policy.ts'
import type { VersionRow } from '../version-row.ts'

const Text = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '\\S' })
/** A finding that shall not hold the next version of the package: until when, for whom to ask, and why. */
export const Acceptance = closed({
  fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  expires_at: Type.String({ maxLength: 40 }),
  owner: Text(200),
  reason: Text(2_000),
})
export type Acceptance = Static<typeof Acceptance>

/** Findings that count for nothing in a verdict on this package now. */
export async function acceptedFindings(tx: Tx, { org, name }: VersionRow, now: Date): Promise<AcceptedFinding[]> {
  const found = await rows<{ fingerprint: string; risk_score: string }>(
    tx,
    `select fingerprint, max(risk_score) as risk_score from marketplace.overrides
     where org = ? and name = ? and confirmed_at is not null and revoked_at is null and expires_at > ?
     group by fingerprint`,
    [org, name, now],
  )
  return found.map(({ fingerprint, risk_score }) => ({ fingerprint, risk_score: Number(risk_score) }))
}

/** Keeps what one person accepts with an approval; it counts from the approval that publishes on. Throws 400. */
export async function acceptFindings(
  tx: Tx,
  version: VersionRow,
  given: readonly Acceptance[],
  by: string,
  now: Date,
): Promise<void> {
  for (const [index, { fingerprint, expires_at, owner, reason }] of given.entries()) {
    const found = version.verdict?.violations.find((one) => one.fingerprint === fingerprint)
    if (!found || version.risk_score === null)
      throw refused(`/accept/${index}/fingerprint`, 'unknown_fingerprint', 'is no finding of this version')
    await execute(
      tx,
      `insert into marketplace.overrides (org, id, name, version_id, fingerprint, rule_id, severity, risk_score, owner,
         reason, expires_at, accepted_by, accepted_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (org, version_id, fingerprint) do nothing`,
      [
        ...[
          version.org,
          uuidv7(),
          version.name,
          version.id,
          fingerprint,
          found.rule_id,
          severityOf(version, fingerprint),
        ],
        ...[version.risk_score, owner, reason, expiryOf(expires_at, index, now), by, now],
      ],
    )
  }
}

/**
 * The version is approved: what was accepted counts from now on. A critical finding does only where two people named
 * it; throws 409 `override_needs_two` where the last named one that nobody did before.
 */
export async function confirmFindings(
  tx: Tx,
  version: VersionRow,
  given: readonly Acceptance[],
  by: string,
  now: Date,
): Promise<void> {
  const named = given.map(({ fingerprint }) => fingerprint)
  const alone = await row<{ fingerprint: string }>(
    tx,
    `select fingerprint from marketplace.overrides
     where org = ? and version_id = ? and severity = 'critical' and accepted_by = ? and fingerprint = any(?::text[])`,
    [version.org, version.id, by, named],
  )
  if (alone)
    throw marketplaceError(
      'override_needs_two',
      `the first approval did not accept the critical finding ${alone.fingerprint}; approve without it`,
    )
  await execute(
    tx,
    `update marketplace.overrides set confirmed_by = ?, confirmed_at = ?
     where org = ? and version_id = ? and confirmed_at is null
       and (severity <> 'critical' or (fingerprint = any(?::text[]) and accepted_by <> ?))`,
    [by, now, version.org, version.id, named, by],
  )
}

type Offered = Acceptance & {
  expires: Date
  rule_id: string
  accepted_by: string
  confirmed: boolean
  version_id: string
}

/** What counts for nothing on this package now, and what a first approval of this version would accept. */
export async function offeredFindings(tx: Tx, { org, name, id }: VersionRow, now: Date) {
  const found = await rows<Offered>(
    tx,
    `select fingerprint, expires_at as expires, owner, reason, rule_id, accepted_by, version_id,
       confirmed_at is not null as confirmed
     from marketplace.overrides
     where org = ? and name = ? and revoked_at is null and expires_at > ? and (confirmed_at is not null or version_id = ?)
     order by id desc limit 100`,
    [org, name, now, id],
  )
  return found.map(({ expires, ...one }) => ({ ...one, expires_at: expires.toISOString() }))
}

/** Of the gravest finding with this fingerprint: the same fact may be found at several places. */
function severityOf({ verdict }: VersionRow, fingerprint: string): string {
  const severities = verdict?.violations.filter((one) => one.fingerprint === fingerprint).map((one) => one.severity)
  return (['critical', 'high', 'medium', 'low'] as const).find((one) => severities?.includes(one)) ?? 'critical'
}

function expiryOf(text: string, index: number, now: Date): Date {
  const days = currentPolicy.overrides.longest_days
  const time = parseUtcTime(text)
  if (time && time > now && time.getTime() <= now.getTime() + days * 86_400_000) return time
  throw refused(`/accept/${index}/expires_at`, 'time', `must be an RFC 3339 time ahead, within ${days} days`)
}

const refused = (pointer: string, code: string, detail: string) =>
  httpError('body_malformed', `${pointer} ${detail}`, { errors: [{ pointer, code, detail }] })
