import type { UsageRow } from './answers.ts'
import { ratio, toScaled } from './decimal.ts'

export type UsageLine = UsageRow & { key: string /** 0..1 of the largest quantity of the same meter. */; share: number }
export type UsageGroup = { tenant: string; lines: UsageLine[] }

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const magnitude = (quantity: string): bigint => {
  const value = toScaled(quantity)
  return value < 0n ? -value : value
}

/**
 * Rows by tenant, newest month first. Bars compare rows of one meter only: seconds and runs have no common length.
 */
export const usageLines = (rows: readonly UsageRow[]): UsageLine[] => {
  const largest = new Map<string, bigint>()
  for (const row of rows) {
    const value = magnitude(row.quantity)
    if (value > (largest.get(row.meter) ?? 0n)) largest.set(row.meter, value)
  }
  return rows
    .map((row) => ({
      ...row,
      key: JSON.stringify([row.tenant, row.meter, row.package, row.period, row.currency]),
      share: ratio(magnitude(row.quantity), largest.get(row.meter) ?? 0n),
    }))
    .toSorted(
      (a, b) =>
        byText(a.tenant, b.tenant) ||
        byText(b.period, a.period) ||
        byText(a.meter, b.meter) ||
        byText(a.package ?? '', b.package ?? ''),
    )
}

/** Lines that are in order of tenant, one group per tenant. */
export const groupByTenant = (lines: readonly UsageLine[]): UsageGroup[] => {
  const groups: UsageGroup[] = []
  for (const line of lines) {
    const group = groups.at(-1)
    if (group?.tenant === line.tenant) group.lines.push(line)
    else groups.push({ tenant: line.tenant, lines: [line] })
  }
  return groups
}
