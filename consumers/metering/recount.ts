import { ok } from '../../platform/bus/outcome.ts'
import { handler } from '../../platform/bus/runner.ts'
import { row, rows, type Tx } from '../../platform/db.ts'
import type { Recount } from '../../platform/replay/replay.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { countRecords } from './count-report.ts'

/** What one hour of usage is, from the log and as it was counted. */
type Difference = {
  tenant: string
  hour: Date
  meter: string
  package: string
  version: string
  log: { quantity: string; records: number }
  counted: { quantity: string; records: number } | null
}
const SHOWN = 100
const TABLES = `metering_shadow.rollups s
  left join metering.rollups l using (tenant, hour, meter, package, version, dimensions_key)`
// An hour may hold more than the log of the range does: reports before or after it belong to the hour too.
const LESS = 's.quantity <= l.quantity and s.records <= l.records'
const EQUAL = 's.quantity = l.quantity and s.records = l.records'

/**
 * Usage counted once more from the log, by the code that counts it, into tables of its own; what comes of it is only
 * compared. `missing` and `more` mean that the log holds usage which was never counted; `less`, that an hour has usage
 * from outside the range.
 */
export const usageRecount: Recount = {
  name: 'usage',
  schema: 'metering',
  tables: ['dedupe', 'rollups'],
  handlers: (schema) => [
    handler({
      name: 'metering.recount',
      on: usageReported,
      emits: [],
      async handle(event, tx) {
        await countRecords(tx, schema, event)
        return ok()
      },
    }),
  ],
  compare,
}

async function compare(tx: Tx): Promise<object> {
  const counts = await row<Record<string, number>>(
    tx,
    `select count(*)::int as hours, count(*) filter (where ${EQUAL})::int as equal,
       count(*) filter (where ${LESS} and not (${EQUAL}))::int as less,
       count(*) filter (where l.tenant is null)::int as missing,
       count(*) filter (where l.tenant is not null and not (${LESS}))::int as more
     from ${TABLES}`,
  )
  const differences = await rows<Difference>(
    tx,
    `select tenant, hour, meter, package, version,
       jsonb_build_object('quantity', s.quantity::text, 'records', s.records) as log,
       case when l.tenant is not null
         then jsonb_build_object('quantity', l.quantity::text, 'records', l.records) end as counted
     from ${TABLES} where l.tenant is null or not (${LESS})
     order by hour, tenant, meter, package, version limit ?`,
    [SHOWN],
  )
  return { ...counts, differences }
}
