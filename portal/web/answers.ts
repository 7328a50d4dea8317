import { isDecimal } from './decimal.ts'
import {
  field,
  optionalField,
  type Read,
  readFields,
  readList,
  readNumber,
  readText,
  readTextThat,
} from './read-json.ts'

/** How old the figures are: the time they are complete up to, and how far that is behind now. */
export type Freshness = { as_of: string; lag_seconds: number }

export type RevenueMonth = {
  month: string
  gross: string
  partner_share: string
  platform_fee: string
  tax: string
  invoices: number
}
export type Revenue = Freshness & { currency: string | null; months: RevenueMonth[] }

export type UsageRow = {
  tenant: string
  meter: string
  package: string | null
  period: string
  quantity: string
  amount: string | null
  currency: string | null
}
export type Usage = Freshness & { rows: UsageRow[] }

export type Violation = { rule_id: string; severity: string; pointer: string; message: string }
export type PackageRow = {
  id: string
  name: string
  version: string
  publisher: string
  status: string
  risk_score: number | null
  decision: string | null
  violations: Violation[]
  updated_at: string
}
export type Packages = Freshness & { packages: PackageRow[] }

const decimal = readTextThat('a decimal text', isDecimal)
const month = readTextThat('a month (YYYY-MM)', (text) => /^\d{4}-(0[1-9]|1[0-2])$/.test(text))
const time = readTextThat('a time', (text) => !Number.isNaN(Date.parse(text)))

const freshness = (of: Record<string, unknown>): Freshness => ({
  as_of: field(of, '', 'as_of', time),
  lag_seconds: field(of, '', 'lag_seconds', readNumber),
})

const revenueMonth: Read<RevenueMonth> = (value, at) => {
  const of = readFields(value, at)
  return {
    month: field(of, at, 'month', month),
    gross: field(of, at, 'gross', decimal),
    partner_share: field(of, at, 'partner_share', decimal),
    platform_fee: field(of, at, 'platform_fee', decimal),
    tax: field(of, at, 'tax', decimal),
    invoices: field(of, at, 'invoices', readNumber),
  }
}

const usageRow: Read<UsageRow> = (value, at) => {
  const of = readFields(value, at)
  return {
    tenant: field(of, at, 'tenant', readText),
    meter: field(of, at, 'meter', readText),
    package: optionalField(of, at, 'package', readText),
    period: field(of, at, 'period', month),
    quantity: field(of, at, 'quantity', decimal),
    amount: optionalField(of, at, 'amount', decimal),
    currency: optionalField(of, at, 'currency', readText),
  }
}

const violation: Read<Violation> = (value, at) => {
  const of = readFields(value, at)
  return {
    rule_id: field(of, at, 'rule_id', readText),
    severity: field(of, at, 'severity', readText),
    pointer: field(of, at, 'pointer', readText),
    message: field(of, at, 'message', readText),
  }
}

const packageRow: Read<PackageRow> = (value, at) => {
  const of = readFields(value, at)
  return {
    id: field(of, at, 'id', readText),
    name: field(of, at, 'name', readText),
    version: field(of, at, 'version', readText),
    publisher: field(of, at, 'publisher', readText),
    status: field(of, at, 'status', readText),
    risk_score: optionalField(of, at, 'risk_score', readNumber),
    decision: optionalField(of, at, 'decision', readText),
    violations: field(of, at, 'violations', readList(violation)),
    updated_at: field(of, at, 'updated_at', time),
  }
}

/** The answer of GET /analytics/revenue, months oldest first. Throws UnexpectedShape. */
export const readRevenue = (body: unknown): Revenue => {
  const of = readFields(body, '')
  const months = field(of, '', 'months', readList(revenueMonth))
  return {
    ...freshness(of),
    currency: optionalField(of, '', 'currency', readText),
    months: months.toSorted((a, b) => (a.month < b.month ? -1 : 1)),
  }
}

/** The answer of GET /analytics/usage. Throws UnexpectedShape. */
export const readUsage = (body: unknown): Usage => {
  const of = readFields(body, '')
  return { ...freshness(of), rows: field(of, '', 'rows', readList(usageRow)) }
}

/** The answer of GET /analytics/packages. Throws UnexpectedShape. */
export const readPackages = (body: unknown): Packages => {
  const of = readFields(body, '')
  return { ...freshness(of), packages: field(of, '', 'packages', readList(packageRow)) }
}
