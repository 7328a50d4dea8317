import { uuidv7 } from 'uuidv7'
import { execute, type Tx } from '../../platform/db.ts'
import { decimal, formatDecimal } from '../../platform/decimal.ts'
import { currencyDigits } from './rating/currency.ts'
import type { RatedInvoice } from './rating/rate-invoice.ts'

export type Account =
  | 'tenant_receivable'
  | 'partner_payable'
  | 'platform_fee'
  | 'tax_payable'
  | 'cash'
  | 'bad_debt'
  | 'prepaid_credits'
  | 'promotion'
  | 'breakage'
  | 'rounding'
/** `amount` in the currency's decimals: debit positive, credit negative. */
export type Entry = {
  account: Account
  partner?: string
  amount: string
  /** Of a posting that moves money onto an invoice: the side it comes from, which is of the document alone. */
  besideInvoice?: true
}
export type Posting = {
  tenant: string
  kind: 'invoice' | 'credit_note' | 'payment' | 'write_off' | 'grant' | 'credit_use' | 'credit_return' | 'credit_expiry'
  invoice_id?: string
  /** A credit note, a payment, a grant: whatever beside an invoice the posting is of. */
  document_id?: string
  currency: string
  entries: readonly Entry[]
}

/** Writes one posting and returns its id. The database refuses it unbalanced when the transaction commits. */
export async function post(tx: Tx, posting: Posting, at: Date): Promise<string> {
  const [id] = await postAll(tx, [posting], at)
  return id as string
}

/** Writes postings in one statement and returns their ids. */
export async function postAll(tx: Tx, postings: readonly Posting[], at: Date): Promise<string[]> {
  const ids = postings.map(() => uuidv7())
  const all = postings.flatMap((posting, n) =>
    posting.entries.map((entry, index) => ({ posting, entry, index, id: ids[n] })),
  )
  await execute(
    tx,
    `insert into metering.ledger
       (tenant, posting_id, entry, kind, invoice_id, document_id, account, partner, currency, amount, posted_at)
     select t, id, e, k, i, d, a, p, c, v, ?
     from unnest(?::text[], ?::uuid[], ?::int[], ?::text[], ?::uuid[], ?::uuid[], ?::text[], ?::text[], ?::text[],
       ?::numeric[]) as l (t, id, e, k, i, d, a, p, c, v)`,
    [
      at,
      all.map(({ posting }) => posting.tenant),
      all.map(({ id }) => id),
      all.map(({ index }) => index),
      all.map(({ posting }) => posting.kind),
      all.map(({ posting, entry }) => (entry.besideInvoice === true ? null : (posting.invoice_id ?? null))),
      all.map(({ posting }) => posting.document_id ?? null),
      all.map(({ entry }) => entry.account),
      all.map(({ entry }) => entry.partner ?? null),
      all.map(({ posting }) => posting.currency),
      all.map(({ entry }) => entry.amount),
    ],
  )
  return ids
}

/** tenant receivable = partner payable + platform fee + tax: what an invoice makes everybody owe. */
export function entriesOf({ currency, total, shares }: Pick<RatedInvoice, 'currency' | 'total' | 'shares'>): Entry[] {
  const minus = (amount: string) => formatDecimal(-decimal(amount), currencyDigits(currency))
  return [
    { account: 'tenant_receivable', amount: total },
    ...shares.flatMap(({ partner, partner_share, platform_fee, tax }): Entry[] => [
      { account: 'partner_payable', partner, amount: minus(partner_share) },
      { account: 'platform_fee', partner, amount: minus(platform_fee) },
      { account: 'tax_payable', partner, amount: minus(tax) },
    ]),
  ]
}
