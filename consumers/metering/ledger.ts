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
  const { tenant, kind, invoice_id, document_id, currency, entries } = posting
  const id = uuidv7()
  await execute(
    tx,
    `insert into metering.ledger
       (tenant, posting_id, entry, kind, invoice_id, document_id, account, partner, currency, amount, posted_at)
     select ?, ?, e, ?, case when i then ?::uuid end, ?, a, p, ?, v, ?
     from unnest(?::int[], ?::text[], ?::text[], ?::numeric[], ?::boolean[]) as l (e, a, p, v, i)`,
    [
      tenant,
      id,
      kind,
      invoice_id ?? null,
      document_id ?? null,
      currency,
      at,
      entries.map((_, index) => index),
      entries.map(({ account }) => account),
      entries.map(({ partner }) => partner ?? null),
      entries.map(({ amount }) => amount),
      entries.map(({ besideInvoice }) => besideInvoice !== true),
    ],
  )
  return id
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
