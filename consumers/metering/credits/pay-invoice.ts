import { uuidv7 } from 'uuidv7'
import type { Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { type Entry, post } from '../ledger.ts'
import { creditsUsed } from '../rating/credits.ts'
import { currencyDigits } from '../rating/currency.ts'
import type { RatedInvoice } from '../rating/rate-invoice.ts'
import { take } from './take.ts'
import type { Credit } from './wallet.ts'

/** What a credit pays of an invoice; `on_account` of that was deducted from it before. */
export type CreditPayment = { id: string; amount: Decimal; on_account: Decimal }

/**
 * What prepaid credits pay of an invoice, tax included: first what was deducted from them since the last one, then what
 * is left of them. Pure.
 */
export function paymentsOf(
  { total, parts, currency }: Pick<RatedInvoice, 'total' | 'parts' | 'currency'>,
  credits: readonly Credit[],
  at: Date,
): CreditPayment[] {
  // Before any priority, and for good: this money is spent already.
  const deducted = credits.map((one) => ({
    ...one,
    id: `${ON_ACCOUNT}${one.id}`,
    left: one.on_account,
    priority: -1,
    expires_at: null,
  }))
  const payments = new Map<string, CreditPayment>()
  for (const { id: named, amount } of creditsUsed(
    decimal(total),
    parts,
    [...deducted, ...credits],
    at,
    currencyDigits(currency),
  )) {
    const before = named.startsWith(ON_ACCOUNT)
    const id = before ? named.slice(ON_ACCOUNT.length) : named
    const one = payments.get(id) ?? { id, amount: 0n, on_account: 0n }
    payments.set(id, {
      id,
      amount: one.amount + amount,
      on_account: one.on_account + (before ? amount : 0n),
    })
  }
  return [...payments.values()]
}
const ON_ACCOUNT = 'on account '

/** What is left of credits after an invoice was paid with them. */
export const lessPaid = (credits: readonly Credit[], payments: readonly CreditPayment[]): Credit[] =>
  credits.map((one) => {
    const { amount, on_account } = payments.find(({ id }) => id === one.id) ?? { amount: 0n, on_account: 0n }
    return { ...one, left: one.left - (amount - on_account), on_account: one.on_account - on_account }
  })

/** The payments as an invoice shows them, and what is left to pay. */
export function creditTexts(
  { total, currency }: Pick<RatedInvoice, 'total' | 'currency'>,
  paid: readonly CreditPayment[],
) {
  const text = (amount: Decimal) => formatDecimal(amount, currencyDigits(currency))
  const sum = paid.reduce((all, { amount }) => all + amount, 0n)
  return {
    // Left out where there are none, as invoices were before they knew credits.
    ...(paid.length === 0 ? {} : { credits: paid.map(({ id, amount }) => ({ id, amount: text(amount) })) }),
    credits_applied: text(sum),
    amount_due: text(decimal(total) - sum),
  }
}

/** Takes for good what an issued invoice was paid with. The wallet is locked since before it was rated. */
export async function payInvoice(
  tx: Tx,
  invoice: { tenant: string; id: string; currency: string; payments: readonly CreditPayment[] },
  at: Date,
): Promise<void> {
  const { tenant, id, currency, payments } = invoice
  if (payments.length === 0) return
  await take(
    tx,
    {
      tenant,
      currency,
      kind: 'invoice',
      taken: payments.map((one) => ({
        credit_id: one.id,
        amount: one.amount - one.on_account,
        on_account: -one.on_account,
      })),
      to: { account: 'tenant_receivable' },
      posting: { kind: 'credit_use', invoice_id: id },
    },
    at,
  )
  await settleDeducted(tx, invoice, at)
}

/** Deductions were posted before there was an invoice to post them on: what this one settles moves onto it. */
async function settleDeducted(
  tx: Tx,
  { tenant, id: invoice_id, currency, payments }: Parameters<typeof payInvoice>[1],
  at: Date,
): Promise<void> {
  const sum = payments.reduce((all, { on_account }) => all + on_account, 0n)
  if (sum === 0n) return
  const text = (amount: Decimal) => formatDecimal(amount, currencyDigits(currency))
  const entries: Entry[] = [
    { account: 'tenant_receivable', amount: text(-sum) },
    { account: 'tenant_receivable', amount: text(sum), besideInvoice: true },
  ]
  await post(tx, { tenant, kind: 'credit_use', invoice_id, document_id: uuidv7(), currency, entries }, at)
}
