import { type Decimal, decimal } from '../../../platform/decimal.ts'
import type { Returned } from '../credits/give-back.ts'
import { openAmount } from './invoice-state.ts'
import type { LifeRow } from './stored-life.ts'

/** What of a credit note is more than is still to be paid of its invoice: it goes back to whoever has paid. */
export function exceeding(invoice: LifeRow, total: Decimal): Decimal {
  const money = (text: string | null) => decimal(text ?? '0')
  const { amount_due, credited, returned, paid } = invoice
  const open = openAmount({
    amountDue: money(amount_due),
    credited: money(credited),
    returned: money(returned),
    paid: money(paid),
  })
  const over = total - (open > 0n ? open : 0n)
  return over > 0n ? over : 0n
}

/**
 * What of an amount goes back to the credits that paid an invoice: the one that was used last first, and to none more
 * than `credits` says is left of what it paid. What is more than all of them is owed to the tenant in money. Pure.
 */
export function backTo(credits: readonly Returned[], amount: Decimal): Returned[] {
  let rest = amount
  const back: Returned[] = []
  for (const { id, amount: most } of [...credits].reverse()) {
    const part = most < rest ? most : rest
    if (part > 0n) back.push({ id, amount: part })
    rest -= part
  }
  return back
}

/** The same as a credit note states it. */
export const returnTexts = (back: readonly Returned[], text: (amount: Decimal) => string) => ({
  credits: back.map(({ id, amount }) => ({ id, amount: text(amount) })),
  credits_returned: text(back.reduce((sum, { amount }) => sum + amount, 0n)),
})
