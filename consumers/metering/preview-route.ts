import { hasRole } from '../../platform/auth/principal.ts'
import { rows, type Tx } from '../../platform/db.ts'
import { decimal, formatDecimal } from '../../platform/decimal.ts'
import type { Fault } from '../../platform/errors.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import type { MeteringDeps } from './deps.ts'
import { billingError } from './errors.ts'
import { keptOf } from './kept-dimensions.ts'
import { loadPeriod } from './load-period.ts'
import { PreviewBody, type ReadPreview, readPreview } from './preview-body.ts'
import { currencyDigits } from './rating/currency.ts'
import { linesOf } from './rating/delta.ts'
import { notKept } from './rating/not-kept.ts'
import { ratePeriod } from './rating/rate-period.ts'
import { rehearse } from './rating/rehearse.ts'
import type { PeriodUsage, PlanVersion, Subscription } from './rating/usage.ts'

const MAX_PREVIEW_BYTES = 4_000_000
/** Ten thousand records, each with all its members and a dozen dimensions. */
const MAX_PREVIEW_VALUES = 200_000
const MAX_TENANTS = 1_000

type RealUsage = { tenant?: string; partner?: string; period: string }

/** POST /billing/preview: what a plan would bill, for usage that is sent or for what tenants really used. */
export function previewRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const body = checked(PreviewBody, jsonBody(call, { maxBytes: MAX_PREVIEW_BYTES, maxNodes: MAX_PREVIEW_VALUES }))
    const { read, faults } = readPreview(body)
    if (faults.length > 0) throw invalid(...faults)
    if (!Array.isArray(body.usage)) return { status: 200, body: await compare(call, read, body.usage) }
    const subscription: Subscription = {
      id: 'preview',
      partner: call.principal.org,
      package: 'preview',
      starts_at: read.starts_at,
      ends_at: read.ends_at,
      versions: read.versions,
    }
    const { records, period, runs } = read
    const rounding = body.policy?.rounding
    const rehearsal = { subscription, records, period, runs, now: deps.now(), ...(rounding ? { rounding } : {}) }
    return { status: 200, body: rehearse(rehearsal) }
  }

  /** Real usage of a month under another plan, against what the present plans make of it, tenant by tenant. */
  async function compare(call: Call, read: ReadPreview, of: RealUsage) {
    if (read.versions.length > 1)
      throw invalid({ pointer: '/plan', code: 'one_version', detail: 'real usage is rated under one price at a time' })
    const own = hasRole(call.principal, 'finance') ? null : call.principal.org
    if (own !== null && of.partner !== undefined && of.partner !== own)
      throw httpError('not_found', `no subscriber of yours in ${of.period}`)
    const partner = own ?? of.partner ?? null
    return deps.allTenants.transaction((tx) => differences(tx, partner, read, of))
  }

  return {
    method: 'POST',
    path: '/billing/preview',
    summary: 'Rehearse a price plan; changes nothing',
    access: { roles: ['finance', 'partner'] },
    maxBytes: MAX_PREVIEW_BYTES,
    handle,
  }
}

const invalid = (...errors: Fault[]) =>
  billingError('preview_invalid', `${errors[0]?.pointer} ${errors[0]?.detail}`, { errors: errors.slice(0, 100) })

/** Tenants of a partner (of all, for finance) in a month. */
async function subscribers(
  tx: Tx,
  partner: string | null,
  tenant: string | undefined,
  period: string,
): Promise<string[]> {
  const { start, end } = periodBounds(period)
  const found = await rows<{ tenant: string }>(
    tx,
    `select distinct tenant from metering.subscriptions
     where starts_at < ? and (ends_at is null or ends_at > ?) and (?::text is null or partner = ?)
       and (?::text is null or tenant = ?) order by tenant limit ?`,
    [end, start, partner, partner, tenant ?? null, tenant ?? null, MAX_TENANTS + 1],
  )
  const detail = `has more than ${MAX_TENANTS} tenants: name one, or ask for a replay`
  if (found.length > MAX_TENANTS) throw invalid({ pointer: '/usage', code: 'too_many', detail })
  return found.map((one) => one.tenant)
}

async function differences(tx: Tx, partner: string | null, { versions }: ReadPreview, { tenant, period }: RealUsage) {
  const [version] = versions as [PlanVersion]
  const tenants = []
  const otherCurrency: { tenant: string; currency: string }[] = []
  for (const one of await subscribers(tx, partner, tenant, period)) {
    const usage = await loadPeriod(tx, one, period, { plans: [version.plan] })
    const isOwn = (subscription: Subscription) => partner === null || subscription.partner === partner
    const subscriptions = usage.subscriptions.map((sold) => (isOwn(sold) ? { ...sold, versions } : sold))
    const now = billOf(one, usage, partner)
    const other = billOf(one, { ...usage, subscriptions }, partner)
    if (now.currency !== other.currency) {
      otherCurrency.push({ tenant: one, currency: now.currency })
      continue
    }
    const used = new Set(usage.totals.map(({ meter }) => meter))
    const lacking = notKept(version.plan, await keptOf(tx, one), used)
    if (lacking.length > 0) throw invalid(...lacking.map((fault) => ({ ...fault, pointer: `/plan${fault.pointer}` })))
    const difference = formatDecimal(decimal(other.total) - decimal(now.total), currencyDigits(other.currency))
    tenants.push({ tenant: one, ...other, compared_to: { total: now.total, difference } })
  }
  const [first] = tenants
  const [mismatch] = otherCurrency
  if (!first && mismatch) {
    const detail = `${mismatch.tenant} pays in ${mismatch.currency}`
    throw invalid({ pointer: '/plan/currency', code: 'currency_mismatch', detail })
  }
  if (!first) throw httpError('not_found', `no subscriber of yours in ${period}`)
  if (tenant !== undefined) return first
  const sum = (values: string[]) =>
    formatDecimal(
      values.reduce((total, value) => total + decimal(value), 0n),
      currencyDigits(first.currency),
    )
  return {
    currency: first.currency,
    period,
    total: sum(tenants.map(({ total }) => total)),
    compared_to: {
      total: sum(tenants.map(({ compared_to }) => compared_to.total)),
      difference: sum(tenants.map(({ compared_to }) => compared_to.difference)),
    },
    tenants: tenants.map(({ tenant: of, total, compared_to }) => ({ tenant: of, total, compared_to })),
    ...(mismatch ? { other_currencies: otherCurrency } : {}),
  }
}

/** A tenant's month as one partner bills it; usage is attributed with all its subscriptions in view. */
function billOf(tenant: string, usage: PeriodUsage, partner: string | null) {
  const own = usage.subscriptions.find((one) => partner === null || one.partner === partner)
  const currency = own?.versions.at(-1)?.plan.currency ?? 'USD'
  const digits = currencyDigits(currency)
  const rated = ratePeriod(usage, { tenant, digits, final: true })
  const lines = linesOf(rated, digits).filter((line) => partner === null || line.partner === partner)
  const taxes = rated.taxes.filter((tax) => partner === null || tax.partner === partner)
  const text = (value: bigint) => formatDecimal(value, digits)
  const subtotal = lines.reduce((sum, { amount }) => sum + decimal(amount), 0n)
  const tax = taxes.reduce((sum, { amount }) => sum + amount, 0n)
  return { currency, lines, subtotal: text(subtotal), tax: text(tax), total: text(subtotal + tax) }
}
