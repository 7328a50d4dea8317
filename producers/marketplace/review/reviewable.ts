import type { Principal } from '../../../platform/auth/principal.ts'
import { marketplaceError } from '../errors.ts'
import { mayBecome } from '../lifecycle.ts'
import type { VersionRow } from '../version-row.ts'

/** A person as decisions and events name it. */
export const actorOf = (principal: Principal): string => `${principal.subject}@${principal.org}`

/** Throws unless the caller may work on this version now: it waits for a decision, of others, and nobody else holds it. */
export function requireOpen(version: VersionRow, principal: Principal, now: Date): void {
  if (version.org === principal.org)
    throw marketplaceError('own_package', 'somebody outside your organisation must decide on this package')
  if (version.status !== 'in_review' || !mayBecome(version.status, 'approved'))
    throw marketplaceError('already_decided', `the version is ${version.status}, not in_review`)
  const holder = holderOf(version, now)
  if (holder !== null && holder !== actorOf(principal))
    throw marketplaceError('claimed_by_another', `held by ${holder} until ${version.claimed_until?.toISOString()}`)
}

/** Who holds the version, or null when nobody does or the lease ran out. */
export const holderOf = ({ claimed_by, claimed_until }: VersionRow, now: Date): string | null =>
  claimed_until !== null && claimed_until > now ? claimed_by : null
