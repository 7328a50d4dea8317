import { expect } from 'chai'
import fc from 'fast-check'
import {
  type InvoiceFacts,
  type InvoiceState,
  type IssuedFacts,
  invoiceState,
  MOVES,
  type OpenFacts,
} from '../../../../consumers/metering/life/invoice-state.ts'
import { decimal } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

const END = new Date('2026-11-01T00:00:00Z')
const COLLECTED = new Date('2026-11-01T01:00:00Z')
const DUE = new Date('2026-12-01T01:00:00Z')
const open = (more: Partial<OpenFacts> = {}): OpenFacts => ({
  status: 'gathering',
  periodEnd: END,
  collectionEnds: COLLECTED,
  approvalAsked: false,
  approved: false,
  parked: null,
  issueError: null,
  ...more,
})
const issued = (more: Partial<IssuedFacts> = {}): IssuedFacts => ({
  status: 'issued',
  dueAt: DUE,
  total: decimal('12'),
  amountDue: decimal('12'),
  credited: 0n,
  paid: 0n,
  voided: false,
  uncollectible: false,
  reason: null,
  send: null,
  told: null,
  ...more,
})
const sent = { state: 'sent' as const, error: null }
const parked = { code: 'tax_wrong', repair: 'mend it' }

describe('consumers/metering/life: the state of an invoice', () => {
  const table: [facts: InvoiceFacts, at: string, state: InvoiceState, reason: string | null][] = [
    [open(), '2026-10-31T23:59:59Z', 'gathering', null],
    [open({ parked }), '2026-10-31T23:59:59Z', 'gathering', null],
    [open(), '2026-11-01T00:00:00Z', 'draft', 'collecting'],
    [open(), '2026-11-01T01:00:00Z', 'draft', 'due'],
    [open({ approvalAsked: true }), '2026-11-01T01:00:00Z', 'awaiting_approval', 'plan_asks_for_it'],
    [open({ approvalAsked: true, approved: true }), '2026-11-01T01:00:00Z', 'draft', 'due'],
    [open({ parked, issueError: 'x', approvalAsked: true }), '2026-11-01T01:00:00Z', 'parked', 'tax_wrong: mend it'],
    [open({ issueError: 'database_23514' }), '2026-11-01T01:00:00Z', 'issue_failed', 'database_23514'],
    [issued(), '2026-11-02T00:00:00Z', 'issued', null],
    [issued({ send: { state: 'dry_run', error: null } }), '2026-11-02T00:00:00Z', 'issued', null],
    [issued({ send: { state: 'failed', error: 'code' } }), '2026-12-02T00:00:00Z', 'send_failed', 'code'],
    [issued({ send: sent }), '2026-11-02T00:00:00Z', 'sent', null],
    [issued({ send: sent, told: 'payment_failed' }), '2026-11-02T00:00:00Z', 'payment_failed', 'refused'],
    [issued({ send: sent, told: 'void' }), '2026-11-02T00:00:00Z', 'payment_failed', 'void_at_collector'],
    [issued({ send: sent }), '2026-12-01T00:59:59Z', 'sent', null],
    [issued({ send: sent }), '2026-12-01T01:00:00Z', 'overdue', null],
    [issued({ send: sent, told: 'payment_failed' }), '2026-12-02T00:00:00Z', 'overdue', 'refused'],
    [issued({ paid: decimal('11.99') }), '2026-11-02T00:00:00Z', 'issued', null],
    [issued({ paid: decimal('12') }), '2026-12-02T00:00:00Z', 'paid', null],
    [issued({ paid: decimal('11'), credited: decimal('1') }), '2026-12-02T00:00:00Z', 'paid', null],
    [issued({ credited: decimal('12') }), '2026-12-02T00:00:00Z', 'paid', 'credited'],
    [issued({ total: decimal('-5'), amountDue: decimal('-5') }), '2026-12-02T00:00:00Z', 'paid', 'nothing_due'],
    [issued({ uncollectible: true, reason: 'gone' }), '2026-12-02T00:00:00Z', 'uncollectible', 'gone'],
    [issued({ uncollectible: true, paid: decimal('12') }), '2026-12-02T00:00:00Z', 'paid', null],
    [issued({ voided: true, credited: decimal('12'), reason: 'wrong' }), '2026-12-02T00:00:00Z', 'void', 'wrong'],
  ]
  for (const [facts, at, state, reason] of table)
    it(`${state}${reason ? ` (${reason})` : ''} at ${at}`, () => {
      expect(invoiceState(facts, new Date(at))).to.deep.include({ state, reason })
    })

  it('allows what it may: what was paid is credited and not voided, and nothing is done to what is void', () => {
    const actions = (facts: InvoiceFacts) => invoiceState(facts, new Date('2026-11-02T00:00:00Z')).actions
    expect(actions(issued())).to.deep.equal(['credit', 'void', 'uncollectible', 'record_payment'])
    expect(actions(issued({ paid: decimal('1') }))).to.deep.equal(['credit', 'uncollectible', 'record_payment'])
    expect(actions(issued({ amountDue: decimal('2') }))).to.not.include('void')
    expect(actions(issued({ paid: decimal('12') }))).to.deep.equal(['credit'])
    expect(actions(issued({ total: decimal('-5'), amountDue: decimal('-5') }))).to.deep.equal(['void'])
    expect(actions(issued({ voided: true, credited: decimal('12') }))).to.deep.equal([])
    expect(actions(issued({ uncollectible: true }))).to.deep.equal(['record_payment'])
    expect(actions(open({ parked }))).to.deep.equal(['retry'])
    expect(actions(open({ approvalAsked: true }))).to.deep.equal(['approve'])
    expect(actions(open())).to.deep.equal([])
  })

  /** What may happen to an invoice, taken only when `actions` allow it; anything else is the world's doing. */
  type Step = (facts: InvoiceFacts, may: readonly string[]) => InvoiceFacts
  const whenOpen =
    (change: (facts: OpenFacts) => InvoiceFacts): Step =>
    (facts) =>
      facts.status === 'gathering' ? change(facts) : facts
  const whenIssued =
    (change: (facts: IssuedFacts) => InvoiceFacts): Step =>
    (facts) =>
      facts.status === 'issued' ? change(facts) : facts
  const when =
    (action: string, step: Step): Step =>
    (facts, may) =>
      may.includes(action) ? step(facts, may) : facts
  const told = (state: NonNullable<IssuedFacts['told']>) =>
    whenIssued((facts) => (facts.send?.state === 'sent' && facts.told !== 'paid' ? { ...facts, told: state } : facts))
  const steps: Record<string, Step> = {
    wait: (facts) => facts,
    ask: whenOpen((facts) => ({ ...facts, approvalAsked: true, issueError: null })),
    approve: when(
      'approve',
      whenOpen((facts) => ({ ...facts, approved: true })),
    ),
    park: whenOpen((facts) => ({ ...facts, parked, issueError: null })),
    unpark: when(
      'retry',
      whenOpen((facts) => ({ ...facts, parked: null })),
    ),
    failToIssue: whenOpen((facts) => ({ ...facts, issueError: 'database_23514' })),
    issue: whenOpen((facts) => (facts.parked || (facts.approvalAsked && !facts.approved) ? facts : issued())),
    failToSend: whenIssued((facts) => (facts.send ? facts : { ...facts, send: { state: 'failed', error: 'x' } })),
    send: whenIssued((facts) => ({ ...facts, send: sent })),
    refuse: told('payment_failed'),
    paidThere: told('paid'),
    voidThere: told('void'),
    pay: when(
      'record_payment',
      whenIssued((facts) => ({ ...facts, paid: facts.paid + decimal('4') })),
    ),
    credit: when(
      'credit',
      whenIssued((facts) => ({ ...facts, credited: facts.credited + decimal('4') })),
    ),
    void: when(
      'void',
      whenIssued((facts) => ({ ...facts, credited: facts.total, voided: true })),
    ),
    writeOff: when(
      'uncollectible',
      whenIssued((facts) => ({ ...facts, uncollectible: true })),
    ),
  }
  const hours = (n: number) => new Date(COLLECTED.getTime() + n * 3_600_000)

  it('makes no move that is not in the table of moves, however long it is walked', async () => {
    const seen = new Set<string>()
    const walk = fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.nat(300)), { maxLength: 40 })
    await holds(
      fc.property(walk, (walked) => {
        let facts: InvoiceFacts = open()
        let passed = 0
        let before = invoiceState(facts, hours(0))
        for (const [name, wait] of walked) {
          // One thing at a time: first the clock, then the step.
          passed += wait
          const after = (steps[name] as Step)(facts, invoiceState(facts, hours(passed)).actions)
          for (const next of [facts, after]) {
            const now = invoiceState(next, hours(passed))
            if (now.state !== before.state) seen.add(`${before.state} ${now.state}`)
            if (now.state !== before.state && !MOVES[before.state].includes(now.state))
              throw new Error(`${before.state} became ${now.state} by ${name}`)
            before = now
          }
          facts = after
        }
      }),
      2_000,
    )
    for (const move of ['draft awaiting_approval', 'parked draft', 'sent overdue', 'overdue paid'])
      expect([...seen]).to.include(move)
  })
})
