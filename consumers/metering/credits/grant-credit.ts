import { uuidv7 } from 'uuidv7'
import { row, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal, PLACES } from '../../../platform/decimal.ts'
import { fault } from '../../../platform/fault.ts'
import { post } from '../ledger.ts'
import { currencyDigits } from '../rating/currency.ts'
import type { Plan } from '../rating/plan.ts'
import { markWalletChanged } from './wallet.ts'

/** `amount` is decimal text with at most the decimals of the currency. */
export type Grant = {
  tenant: string
  source: 'manual' | 'plan'
  reference: string
  kind: 'paid' | 'promotional'
  currency: string
  amount: string
  priority: number
  starts_at: Date
  expires_at: Date | null
  applies_to: readonly string[] | null
  package: string | null
  partner: string | null
}

/** Where the money of a grant comes from: what it is debited to. */
export const originOf = ({ kind, partner }: Pick<Grant, 'kind' | 'partner'>) =>
  kind === 'paid'
    ? { account: 'cash' as const }
    : { account: 'promotion' as const, ...(partner === null ? {} : { partner }) }

/** Makes a credit and its posting. Null where (tenant, source, reference) has one already. */
export async function grantCredit(tx: Tx, grant: Grant, at: Date): Promise<string | null> {
  const { tenant, currency } = grant
  const digits = currencyDigits(currency)
  const amount = formatDecimal(decimal(grant.amount), digits)
  await markWalletChanged(tx, tenant)
  const made = await row<{ id: string }>(
    tx,
    `insert into metering.credits (tenant, id, source, reference, kind, currency, amount, priority, starts_at,
       expires_at, applies_to, package, partner, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (tenant, source, reference) do nothing returning id`,
    [
      tenant,
      uuidv7(),
      grant.source,
      grant.reference,
      grant.kind,
      currency,
      amount,
      grant.priority,
      grant.starts_at,
      grant.expires_at,
      grant.applies_to,
      grant.package,
      grant.partner,
      at,
    ],
  )
  if (!made) return null
  fault('credits.after-grant')
  const entries = [
    { ...originOf(grant), amount },
    { account: 'prepaid_credits' as const, amount: formatDecimal(-decimal(amount), digits) },
  ]
  await post(tx, { tenant, kind: 'grant', document_id: made.id, currency, entries }, at)
  return made.id
}

type Subscribed = { tenant: string; id: string; partner: string; package: string; plan_id: string; starts_at: Date }

/**
 * The credits of the plan version that a subscription begins under, once. They are the partner's gift, so they pay for
 * its package only, and it bears them.
 */
export async function grantPlanCredits(tx: Tx, made: Subscribed, at: Date): Promise<void> {
  const version = await row<{ body: Plan }>(
    tx,
    `select body from metering.plans where partner = ? and (id = ? or first_version = ?)
     order by effective_from <= ? desc, case when effective_from <= ? then effective_from end desc, effective_from
     limit 1`,
    [made.partner, made.plan_id, made.plan_id, made.starts_at, made.starts_at],
  )
  const { credits = [], currency = '' } = version?.body ?? {}
  for (const [index, { amount, priority = 0, expires_at, applies_to }] of credits.entries()) {
    const unit = 10n ** BigInt(PLACES - currencyDigits(currency))
    // A fraction of the smallest coin cannot be paid with.
    const whole = (decimal(amount) / unit) * unit
    const expires = expires_at === undefined ? null : new Date(expires_at)
    if (whole === 0n || (expires !== null && (expires <= at || expires <= made.starts_at))) continue
    const grant: Grant = {
      tenant: made.tenant,
      source: 'plan',
      reference: `${made.id}/${index}`,
      kind: 'promotional',
      currency,
      amount: formatDecimal(whole),
      priority,
      starts_at: made.starts_at,
      expires_at: expires,
      applies_to: applies_to ?? null,
      package: made.package,
      partner: made.partner,
    }
    await grantCredit(tx, grant, at)
  }
}
