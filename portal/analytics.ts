import { scopeOf } from '../platform/auth/principal.ts'
import type { Lag } from '../platform/bus/bus.ts'
import type { Clock } from '../platform/clock.ts'
import { type Db, rows } from '../platform/db.ts'
import { httpError } from '../platform/http/errors.ts'
import { type Answer, type Call, openGet, type Route } from '../platform/http/route.ts'

export type AnalyticsDeps = {
  /** The portal's own role: SELECT in `read`, nothing else. */
  db: Db
  now: Clock
  lag: () => Promise<Lag[]>
}
type Month = {
  month: string
  gross: string
  partner_share: string
  platform_fee: string
  tax: string
  invoices: number
}
type UsageRow = {
  tenant: string
  meter: string
  package: string
  period: string
  quantity: string
  amount: string | null
  currency: string
}
type PackageRow = Record<string, unknown> & { risk_score: string | null }

const MAX_ROWS = 500

/** Figures from the projections. An organisation sees its own (row security), operators see all. */
export function analyticsRoutes(deps: AnalyticsDeps): Route[] {
  async function freshness() {
    const lag = await deps.lag()
    const seconds = lag.reduce((most, one) => Math.max(most, one.records > 0 ? one.seconds : 0), 0)
    return { as_of: deps.now().toISOString(), lag_seconds: Math.round(seconds * 10) / 10 }
  }

  /** One currency at a time: sums over several would mean nothing. The one with the most months comes first. */
  async function revenue(call: Call): Promise<Answer> {
    const asked = call.query.get('currency')
    if (asked !== null && !/^[A-Z]{3}$/.test(asked))
      throw httpError('parameter_invalid', '`currency` is three capital letters')
    const { currencies, months } = await deps.db.transaction(
      async (tx) => {
        const known = await rows<{ currency: string }>(
          tx,
          'select currency from read.revenue group by currency order by count(*) desc, currency',
        )
        const wanted = asked ?? known[0]?.currency ?? 'USD'
        const found = await rows<Month>(
          tx,
          `select period as month, sum(gross)::text as gross, sum(partner_share)::text as partner_share,
             sum(platform_fee)::text as platform_fee, sum(tax)::text as tax, count(distinct tenant)::int as invoices
           from (
             select period, tenant, gross, partner_share, platform_fee, tax from read.revenue where currency = ?
             union all
             select period, null, -gross, -partner_share, -platform_fee, -tax from read.credits where currency = ?) r
           group by period order by period desc limit 24`,
          [wanted, wanted],
        )
        return {
          currencies: [wanted, ...known.map((one) => one.currency).filter((one) => one !== wanted)],
          months: found,
        }
      },
      { scope: scopeOf(call.principal) },
    )
    return {
      status: 200,
      body: { ...(await freshness()), currency: currencies[0], currencies, months: months.reverse() },
    }
  }

  async function usage(call: Call): Promise<Answer> {
    const found = await deps.db.transaction(
      (tx) =>
        rows<UsageRow>(
          tx,
          `select tenant, meter, package, period, quantity::text, amount::text, currency from read.usage
           order by period desc, tenant, meter, package limit ?`,
          [MAX_ROWS],
        ),
      { scope: scopeOf(call.principal) },
    )
    const shown = found.map(({ package: of, amount, ...row }) => ({
      ...row,
      ...(of === '' ? {} : { package: of }),
      ...(amount === null ? {} : { amount }),
    }))
    return { status: 200, body: { ...(await freshness()), rows: shown } }
  }

  async function packages(call: Call): Promise<Answer> {
    const found = await deps.db.transaction(
      (tx) =>
        rows<PackageRow>(
          tx,
          `select id, name, version, org as publisher, status, risk_score, decision, violations, published_at, updated_at
           from read.packages order by updated_at desc, id limit ?`,
          [MAX_ROWS],
        ),
      { scope: scopeOf(call.principal) },
    )
    const shown = found.map((one) => ({ ...one, risk_score: one.risk_score === null ? null : Number(one.risk_score) }))
    return { status: 200, body: { ...(await freshness()), packages: shown } }
  }

  return [
    openGet('/analytics/revenue', 'Revenue by month', revenue),
    openGet('/analytics/usage', 'Usage by tenant, meter and month', usage),
    openGet('/analytics/packages', 'Packages with their verdicts', packages),
  ]
}
