import { leafHash } from '../../../platform/merkle.ts'
import type { Dimensions } from '../rating/usage.ts'

/**
 * What one report added to one hour. `quantity` is what its records add up to, `root` (hex) the Merkle root over their
 * JSON as it stands in the log, in the report's order.
 */
export type Contribution = {
  report_id: string
  hour: string
  meter: string
  /** '' where the records name none. */
  package: string
  /** '' where they name none. */
  version: string
  dimensions: Dimensions
  quantity: string
  records: number
  root: string
}

/** What is hashed of a contribution: its JSON with the members in this order, dimensions by name. SDKs do the same. */
export const contributionText = (one: Contribution): string =>
  JSON.stringify({
    report_id: one.report_id,
    hour: one.hour,
    meter: one.meter,
    package: one.package,
    version: one.version,
    dimensions: Object.fromEntries(Object.entries(one.dimensions).sort(([a], [b]) => (a < b ? -1 : 1))),
    quantity: one.quantity,
    records: one.records,
    root: one.root,
  })

export const contributionLeaf = (one: Contribution): Buffer => leafHash(contributionText(one))

/** What is hashed of a record: its JSON as it stands in the log. */
export const recordLeaf = (record: object): Buffer => leafHash(JSON.stringify(record))
