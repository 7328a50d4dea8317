import { uuidv7 } from 'uuidv7'
import { execute, type Tx } from '../../../platform/db.ts'
import { type Decimal, formatDecimal } from '../../../platform/decimal.ts'
import { fault } from '../../../platform/fault.ts'
import { type Entry, type Posting, post } from '../ledger.ts'
import { currencyDigits } from '../rating/currency.ts'

/** What is taken from one credit. `on_account` is what that adds to, or settles of, what no invoice shows yet. */
export type Taken = { credit_id: string; amount: Decimal; on_account?: Decimal; deduction_id?: string }
export type Taking = {
  tenant: string
  currency: string
  kind: 'invoice' | 'deduction' | 'expiry' | 'void'
  taken: readonly Taken[]
  /** Where the money goes: credited with what is taken. */
  to: Pick<Entry, 'account' | 'partner'>
  posting: Pick<Posting, 'kind' | 'invoice_id' | 'document_id'>
  reason?: string
}
const COLUMN = { invoice: 'used', deduction: 'used', expiry: 'expired', void: 'voided' } as const

/**
 * Takes from credits whose wallet is locked: what is left of them, a movement for each, and one posting. The database
 * refuses more than there is.
 */
export async function take(tx: Tx, taking: Taking, at: Date): Promise<void> {
  const { tenant, currency, kind, taken, to, posting } = taking
  const digits = currencyDigits(currency)
  const text = (amount: Decimal) => formatDecimal(amount, digits)
  await lower(tx, taking, text)
  const moved = taken.filter(({ amount }) => amount > 0n)
  if (moved.length === 0) return
  const total = moved.reduce((sum, { amount }) => sum + amount, 0n)
  const entries: Entry[] = [
    { account: 'prepaid_credits', amount: text(total) },
    { ...to, amount: text(-total) },
  ]
  const id = await post(tx, { tenant, currency, ...posting, entries }, at)
  fault('credits.after-posting')
  await execute(
    tx,
    `insert into metering.credit_movements (tenant, credit_id, id, kind, amount, invoice_id, deduction_id, posting_id, at)
     select ?, c, m, ?, a, ?, d, ?, ? from unnest(?::uuid[], ?::uuid[], ?::numeric[], ?::text[]) as t (c, m, a, d)`,
    [
      tenant,
      kind,
      kind === 'invoice' ? (posting.invoice_id ?? null) : null,
      id,
      at,
      moved.map(({ credit_id }) => credit_id),
      moved.map(() => uuidv7()),
      moved.map(({ amount }) => text(amount)),
      moved.map(({ deduction_id }) => deduction_id ?? null),
    ],
  )
}

/** One change a credit, however many movements it has: a busy one is not written once for each. */
async function lower(
  tx: Tx,
  { tenant, kind, taken, reason }: Taking,
  text: (amount: Decimal) => string,
): Promise<void> {
  const sums = new Map<string, { amount: Decimal; account: Decimal }>()
  for (const { credit_id, amount, on_account = 0n } of taken) {
    const before = sums.get(credit_id) ?? { amount: 0n, account: 0n }
    sums.set(credit_id, { amount: before.amount + amount, account: before.account + on_account })
  }
  const column = COLUMN[kind]
  const changed = await execute(
    tx,
    `update metering.credits c set ${column} = c.${column} + t.a, on_account = c.on_account + t.o,
       void_reason = coalesce(?, c.void_reason)
     from unnest(?::uuid[], ?::numeric[], ?::numeric[]) as t (id, a, o) where c.tenant = ? and c.id = t.id`,
    [
      reason ?? null,
      [...sums.keys()],
      [...sums.values()].map(({ amount }) => text(amount)),
      [...sums.values()].map(({ account }) => text(account)),
      tenant,
    ],
  )
  if (changed !== sums.size) throw new Error(`${sums.size} credits of ${tenant} were to be taken from, ${changed} were`)
}
