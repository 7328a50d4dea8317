import type { EventDefinition } from './define-event.ts'
import { analyzerChanged } from './events/analyzer.changed.ts'
import { creditNoteIssued } from './events/credit_note.issued.ts'
import { invoiceIssued } from './events/invoice.issued.ts'
import { invoiceUpdated } from './events/invoice.updated.ts'
import { orgReactivated } from './events/org.reactivated.ts'
import { orgSuspended } from './events/org.suspended.ts'
import { paymentFailed } from './events/payment.failed.ts'
import { paymentSucceeded } from './events/payment.succeeded.ts'
import { planCreated } from './events/plan.created.ts'
import { rescanRequested } from './events/rescan.requested.ts'
import { usageReported } from './events/usage.reported.ts'
import { wpkBlocked } from './events/wpk.blocked.ts'
import { wpkDeprecated } from './events/wpk.deprecated.ts'
import { wpkPublished } from './events/wpk.published.ts'
import { wpkRejected } from './events/wpk.rejected.ts'
import { wpkRescanned } from './events/wpk.rescanned.ts'
import { wpkReviewed } from './events/wpk.reviewed.ts'
import { wpkSubmitted } from './events/wpk.submitted.ts'
import { wpkVerdict } from './events/wpk.verdict.ts'
import { wpkYanked } from './events/wpk.yanked.ts'
import { wpkReaderChanged } from './events/wpk_reader.changed.ts'
import { wpkVisibilityChanged } from './events/wpk_visibility.changed.ts'

/** The one list of event types: topics, reference pages and tests derive from it. */
export const eventTypes: readonly EventDefinition[] = [
  wpkSubmitted,
  wpkVerdict,
  wpkReviewed,
  wpkPublished,
  wpkRejected,
  wpkDeprecated,
  wpkVisibilityChanged,
  wpkReaderChanged,
  wpkYanked,
  wpkBlocked,
  analyzerChanged,
  rescanRequested,
  wpkRescanned,
  usageReported,
  planCreated,
  invoiceUpdated,
  invoiceIssued,
  creditNoteIssued,
  paymentSucceeded,
  paymentFailed,
  orgSuspended,
  orgReactivated,
]
