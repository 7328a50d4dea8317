import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { type Db, rows } from '../db.ts'
import { rememberShortly } from './short-memory.ts'

const BY_EMAIL = 'email:'
const SUBJECT = /^[\x21-\x7e]{1,255}$/
const EMAIL = /^[\x21-\x3f\x41-\x7e]{1,64}@[\x21-\x3f\x41-\x7e]{1,190}$/

/** How a member is stored (`subject`) and shown (`label`): of an address only its hash and its ends are kept (P-1). */
export type MemberName = { subject: string; label: string }

/** The name of a member by its issuer's subject, or by `email:` and a verified address; null when it is neither. */
export function memberName(text: string): MemberName | null {
  if (!text.startsWith(BY_EMAIL)) return SUBJECT.test(text) ? { subject: text, label: text } : null
  const address = text.slice(BY_EMAIL.length).trim().toLowerCase()
  if (EMAIL.test(address)) {
    const hash = createHash('sha256').update(address).digest('hex')
    return {
      subject: `${BY_EMAIL}${hash}`,
      label: `${BY_EMAIL}${address.slice(0, 1)}…${address.slice(address.lastIndexOf('@'))}`,
    }
  }
  // As lists show it, so that what was listed can be changed and removed.
  return /^[0-9a-f]{64}$/.test(address) ? { subject: text, label: text } : null
}

/** Every name under which somebody may be a member. A subject that looks like an address of another is none. */
export function namesOf(subject: string, verifiedEmail: string | undefined): string[] {
  const own = subject.startsWith(BY_EMAIL) || !SUBJECT.test(subject) ? [] : [subject]
  const byEmail = verifiedEmail === undefined ? null : memberName(`${BY_EMAIL}${verifiedEmail}`)
  return byEmail ? [...own, byEmail.subject] : own
}

export type Membership = { org: string; roles: string[] }

/** The organisations that somebody of an issuer belongs to, the first joined first; a few seconds old at most. */
export function createMemberships(
  db: Db,
  now: Clock,
): (issuer: string, names: readonly string[]) => Promise<Membership[]> {
  const found = rememberShortly(async (key) => {
    const [issuer, names] = JSON.parse(key) as [string, string[]]
    const all = await db.transaction(async (tx) => {
      await tx.raw(
        "select set_config('app.presented_issuer', ?, true), set_config('app.presented_subjects', ?, true)",
        [issuer, names.join(' ')],
      )
      return rows<Membership>(
        tx,
        `select org, array_agg(distinct role) as roles from platform.members, unnest(roles) as role
         where issuer = ? and subject = any(?::text[]) group by org order by min(created_at), org`,
        [issuer, names],
      )
    })
    return all.length === 0 ? undefined : all
  }, now)
  return async (issuer, names) => (names.length === 0 ? [] : ((await found(JSON.stringify([issuer, names]))) ?? []))
}
