import type { EventDefinition } from '../../schemas/define-event.ts'
import { creditNoteIssued } from '../../schemas/events/credit_note.issued.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { orgReactivated } from '../../schemas/events/org.reactivated.ts'
import { orgSuspended } from '../../schemas/events/org.suspended.ts'
import { paymentFailed } from '../../schemas/events/payment.failed.ts'
import { paymentSucceeded } from '../../schemas/events/payment.succeeded.ts'
import { wpkBlocked } from '../../schemas/events/wpk.blocked.ts'
import { wpkDeprecated } from '../../schemas/events/wpk.deprecated.ts'
import { wpkPublished } from '../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../schemas/events/wpk.rejected.ts'
import { wpkRescanned } from '../../schemas/events/wpk.rescanned.ts'
import { wpkReviewed } from '../../schemas/events/wpk.reviewed.ts'
import { wpkSubmitted } from '../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../schemas/events/wpk.verdict.ts'
import { wpkYanked } from '../../schemas/events/wpk.yanked.ts'
import { wpkReaderChanged } from '../../schemas/events/wpk_reader.changed.ts'
import { wpkVisibilityChanged } from '../../schemas/events/wpk_visibility.changed.ts'

/** Whom an event is about, and whether everybody is told of it; of a private package its readers are. */
export type Audience = { org: string; public: boolean; package: string | null }
export type ToldEvent = { definition: EventDefinition; audience(data: unknown): Audience }

const told = <D>(definition: EventDefinition<D>, audience: (data: D) => Audience): ToldEvent =>
  ({ definition, audience }) as unknown as ToldEvent
type OfPackage = { org: string; name: string }
const toPublisher = ({ org, name }: OfPackage): Audience => ({ org, public: false, package: name })
const toEverybody = ({ org, name }: OfPackage): Audience => ({ org, public: true, package: name })
const toOrganisation = ({ org }: { org: string }): Audience => ({ org, public: false, package: null })
const toTenant = ({ tenant }: { tenant: string }): Audience => ({ org: tenant, public: false, package: null })

/** Everything that organisations are told. A type that is not here is told to nobody. */
export const toldEvents: readonly ToldEvent[] = [
  told(wpkSubmitted, toPublisher),
  told(wpkVerdict, toPublisher),
  told(wpkRescanned, toPublisher),
  told(wpkReviewed, toPublisher),
  told(wpkRejected, toPublisher),
  told(wpkPublished, toEverybody),
  told(wpkDeprecated, toEverybody),
  told(wpkYanked, toEverybody),
  told(wpkBlocked, toEverybody),
  told(wpkVisibilityChanged, toPublisher),
  told(wpkReaderChanged, ({ reader }) => ({ org: reader, public: false, package: null })),
  told(invoiceIssued, toTenant),
  told(creditNoteIssued, toTenant),
  told(paymentSucceeded, toTenant),
  told(paymentFailed, toTenant),
  told(orgSuspended, toOrganisation),
  told(orgReactivated, toOrganisation),
]

/**
 * Types that nobody is told of: raw usage stays in its log (P-1), an open invoice changes twice a second, a plan is what its
 * partner wrote a moment ago, and the last two are between the marketplace and its analyzer.
 */
export const untoldTypes = [
  'usage.reported',
  'invoice.updated',
  'plan.created',
  'analyzer.changed',
  'rescan.requested',
] as const

export const toldTypes: readonly string[] = toldEvents.map(({ definition }) => definition.type)

/** What a caller may name: a type, or all of a kind as `wpk.*`. */
export const typePatterns: readonly string[] = [...new Set(toldTypes.flatMap((type) => [type, kindOf(type)]))].sort()

/** Types that everybody is told of. */
export const publicTypes: readonly string[] = toldEvents
  .filter(({ definition, audience }) => audience(definition.example).public)
  .map(({ definition }) => definition.type)

/** The pattern that names every type of this one's kind. */
export function kindOf(type: string): string {
  return `${type.split('.')[0]}.*`
}

/** The types that patterns name. */
export const typesOf = (patterns: readonly string[]): string[] =>
  toldTypes.filter((type) => patterns.includes(type) || patterns.includes(kindOf(type)))
