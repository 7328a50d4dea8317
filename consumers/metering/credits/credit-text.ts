import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { currencyDigits } from '../rating/currency.ts'

export type CreditRow = {
  id: string
  tenant: string
  kind: 'paid' | 'promotional'
  source: 'manual' | 'plan'
  reference: string
  currency: string
  amount: string
  remaining: string
  used: string
  on_account: string
  expired: string
  voided: string
  priority: number
  starts_at: Date
  expires_at: Date | null
  applies_to: string[] | null
  package: string | null
  void_reason: string | null
  created_at: Date
}
export const CREDIT_COLUMNS = `id, tenant, kind, source, reference, currency, amount::text, remaining::text, used::text,
  on_account::text, expired::text, voided::text, priority, starts_at, expires_at, applies_to, package, void_reason,
  created_at`

/** A credit as calls answer it: amounts carry the decimals of its currency, what it does not have is left out. */
export function creditText(credit: CreditRow) {
  const { starts_at, expires_at, applies_to, package: of, void_reason, created_at, ...rest } = credit
  const text = (amount: string) => formatDecimal(decimal(amount), currencyDigits(credit.currency))
  return {
    ...rest,
    amount: text(rest.amount),
    remaining: text(rest.remaining),
    used: text(rest.used),
    on_account: text(rest.on_account),
    expired: text(rest.expired),
    voided: text(rest.voided),
    starts_at: starts_at.toISOString(),
    ...(expires_at === null ? {} : { expires_at: expires_at.toISOString() }),
    ...(applies_to === null ? {} : { applies_to }),
    ...(of === null ? {} : { package: of }),
    ...(void_reason === null ? {} : { void_reason }),
    created_at: created_at.toISOString(),
  }
}
