import type { BusRecord } from '../../platform/bus/bus.ts'
import { csvRow } from '../../platform/http/csv.ts'
import { readable } from './readable.ts'

/** An event as lists and exports show it: where it lies, what its envelope says, and what it holds. */
export function eventView(record: BusRecord) {
  const { topic, partition, position, key, headers, value, recordedAt } = record
  const { ce_id: id, ce_type: type, ce_source: source, ce_time: time } = headers
  return {
    topic,
    partition,
    position,
    recorded_at: recordedAt.toISOString(),
    key,
    id: id ?? null,
    type: type ?? null,
    source: source ?? null,
    time: time ?? null,
    headers,
    ...readable(value),
  }
}

export const CSV_COLUMNS = ['topic', 'partition', 'position', 'recorded_at', 'key', 'id', 'type', 'source', 'time']

/** One line of CSV (RFC 4180): the columns, then the data as it is stored, as JSON text or base64. */
export function csvLine(record: BusRecord): string {
  const view = eventView(record)
  const data = 'data_base64' in view ? view.data_base64 : record.value.toString('utf8')
  const cells = [...CSV_COLUMNS.map((column) => view[column as keyof typeof view]), data]
  return csvRow(cells.map((cell) => (cell === null ? '' : String(cell))))
}
