import type { Decimal } from '../../../platform/decimal.ts'

export const INVOICE_STATES = [
  'gathering',
  'draft',
  'awaiting_approval',
  'parked',
  'issue_failed',
  'issued',
  'send_failed',
  'sent',
  'payment_failed',
  'overdue',
  'paid',
  'void',
  'uncollectible',
] as const
export type InvoiceState = (typeof INVOICE_STATES)[number]
export type InvoiceAction = 'approve' | 'retry' | 'void' | 'uncollectible' | 'credit' | 'record_payment'

/** What is stored of an invoice's life, before and after it is issued. */
export type OpenFacts = {
  status: 'gathering'
  periodEnd: Date
  collectionEnds: Date
  approvalAsked: boolean
  approved: boolean
  parked: { code: string; repair: string } | null
  issueError: string | null
}
export type IssuedFacts = {
  status: 'issued'
  dueAt: Date
  total: Decimal
  amountDue: Decimal
  credited: Decimal
  paid: Decimal
  voided: boolean
  uncollectible: boolean
  reason: string | null
  /** How far sending it to who collects has come, null where nothing is known of it. */
  send: { state: 'pending' | 'sent' | 'failed' | 'dry_run' | 'skipped'; error: string | null } | null
  /** What who collects said last. */
  told: 'payment_failed' | 'uncollectible' | 'void' | 'paid' | null
}
export type InvoiceFacts = OpenFacts | IssuedFacts
export type DerivedState = { state: InvoiceState; reason: string | null; actions: readonly InvoiceAction[] }

/** What is still to be paid; below zero what was paid too much, or what the tenant gets. */
export const openAmount = ({ amountDue, credited, paid }: Pick<IssuedFacts, 'amountDue' | 'credited' | 'paid'>) =>
  amountDue - credited - paid

/** The state finance sees: a pure function of what is stored and the time. What may be done now is in `actions`. */
export function invoiceState(facts: InvoiceFacts, now: Date): DerivedState {
  return facts.status === 'gathering' ? openState(facts, now) : issuedState(facts, now)
}

function openState(facts: OpenFacts, now: Date): DerivedState {
  if (now < facts.periodEnd) return derived('gathering')
  if (facts.parked) return derived('parked', `${facts.parked.code}: ${facts.parked.repair}`, ['retry'])
  if (facts.issueError !== null) return derived('issue_failed', facts.issueError, ['retry'])
  if (facts.approvalAsked && !facts.approved) return derived('awaiting_approval', 'plan_asks_for_it', ['approve'])
  return derived('draft', now < facts.collectionEnds ? 'collecting' : 'due')
}

/**
 * Only acts of ours change our books: what who collects did by itself (void, gave up) is shown as a failed payment with
 * its reason, until finance does the same here.
 */
function issuedState(facts: IssuedFacts, now: Date): DerivedState {
  const { send, told } = facts
  if (facts.voided) return derived('void', facts.reason)
  const left = openAmount(facts)
  const credit: InvoiceAction[] = facts.total > facts.credited && !facts.uncollectible ? ['credit'] : []
  // What was paid, in money or from prepaid credits, is given back by a credit note: a void says that nothing was owed.
  const untouched = facts.paid === 0n && told !== 'paid' && facts.amountDue === facts.total
  const giveBack: InvoiceAction[] =
    untouched && facts.total !== facts.credited && !facts.uncollectible ? [...credit, 'void'] : credit
  if (left <= 0n || told === 'paid') return derived('paid', paidBy(facts), giveBack)
  if (facts.uncollectible) return derived('uncollectible', facts.reason, ['record_payment'])
  const owed: InvoiceAction[] = [...giveBack, 'uncollectible', 'record_payment']
  if (send?.state === 'failed') return derived('send_failed', send.error, ['retry', ...owed])
  if (now >= facts.dueAt) return derived('overdue', told === null ? null : toldReason(told), owed)
  if (told !== null) return derived('payment_failed', toldReason(told), owed)
  return derived(send?.state === 'sent' ? 'sent' : 'issued', null, owed)
}

function paidBy({ paid, credited, amountDue, told }: IssuedFacts): string | null {
  if (paid > 0n || told === 'paid') return null
  return amountDue > 0n && credited > 0n ? 'credited' : 'nothing_due'
}

const toldReason = (told: 'payment_failed' | 'uncollectible' | 'void' | 'paid') =>
  told === 'payment_failed' ? 'refused' : `${told}_at_collector`

const derived = (
  state: InvoiceState,
  reason: string | null = null,
  actions: readonly InvoiceAction[] = [],
): DerivedState => ({ state, reason, actions })

/**
 * Every move there is, beside staying. Time, a payment or a credit may come at any moment, so what is owed can become
 * overdue or paid from everywhere, at its issue where no days are given to pay; nothing leaves `void`, and nothing becomes open again once issued.
 */
export const MOVES: Record<InvoiceState, readonly InvoiceState[]> = {
  gathering: ['draft', 'awaiting_approval', 'parked', 'issue_failed'],
  draft: ['awaiting_approval', 'parked', 'issue_failed', 'issued', 'overdue', 'paid'],
  awaiting_approval: ['draft', 'parked', 'issue_failed', 'issued', 'overdue', 'paid'],
  parked: ['draft', 'awaiting_approval', 'issue_failed', 'issued', 'overdue', 'paid'],
  issue_failed: ['draft', 'awaiting_approval', 'parked', 'issued', 'overdue', 'paid'],
  issued: ['send_failed', 'sent', 'overdue', 'payment_failed', 'paid', 'void', 'uncollectible'],
  send_failed: ['issued', 'sent', 'overdue', 'payment_failed', 'paid', 'void', 'uncollectible'],
  sent: ['payment_failed', 'overdue', 'paid', 'void', 'uncollectible'],
  payment_failed: ['overdue', 'paid', 'void', 'uncollectible'],
  overdue: ['send_failed', 'paid', 'void', 'uncollectible'],
  // Of what the tenant gets, or of what is settled by credit notes alone: nobody has paid it.
  paid: ['void'],
  void: [],
  uncollectible: ['paid'],
}
