import type { RejectedRecord, UsageAnswer, UsageReceipt, UsageRecord } from './answers.ts'
import { AtomError } from './atom-error.ts'
import type { CallOptions } from './call-options.ts'
import { request } from './request.ts'

const BATCH = 1000

interface ReportAnswer {
  report_id: string
  accepted: number
  rejected: RejectedRecord[]
  receipt: UsageReceipt
}

/**
 * Reports usage in batches of 1000, in order, and merges the answers; resolves once all of it is durable. A record
 * refused by its content is in `rejected`, not thrown. When a batch fails, AtomError `partial` says what was accepted;
 * sending everything again under the same ids is safe, repeats are counted once.
 */
export async function reportUsage(
  records: UsageRecord | readonly UsageRecord[],
  token: string,
  options: CallOptions = {},
): Promise<UsageAnswer> {
  const all = 'id' in records ? [records] : records
  const merged: UsageAnswer = { accepted: 0, rejected: [], reports: [] }
  try {
    for (let first = 0; first < all.length; first += BATCH) {
      await sendBatch(merged, all.slice(first, first + BATCH), first, token, options)
    }
  } catch (error) {
    if (error instanceof AtomError) error.partial = merged
    throw error
  }
  const only = merged.reports.length === 1 ? merged.reports[0] : undefined
  return only ? { ...merged, report_id: only.report_id, receipt: only.receipt } : merged
}

async function sendBatch(
  merged: UsageAnswer,
  batch: readonly UsageRecord[],
  first: number,
  token: string,
  options: CallOptions,
): Promise<void> {
  const body = { records: batch.map(toWire) }
  let answer: ReportAnswer
  try {
    answer = await request<ReportAnswer>(
      { service: 'billing', method: 'POST', path: '/usage/report', token, body },
      options,
    )
  } catch (error) {
    if (!(error instanceof AtomError) || error.status !== 413 || batch.length === 1) throw error
    // A thousand records with many dimensions can pass the body limit: halve until they fit.
    const half = Math.ceil(batch.length / 2)
    await sendBatch(merged, batch.slice(0, half), first, token, options)
    return sendBatch(merged, batch.slice(half), first + half, token, options)
  }
  const { report_id, accepted, receipt } = answer
  merged.accepted += accepted
  merged.rejected.push(...answer.rejected.map((rejected) => inCallersPlaces(rejected, first)))
  merged.reports.push({ report_id, accepted, first_index: first, count: batch.length, receipt })
}

function toWire(record: UsageRecord): Record<string, unknown> {
  return typeof record.quantity === 'bigint' ? { ...record, quantity: String(record.quantity) } : { ...record }
}

function inCallersPlaces(rejected: RejectedRecord, first: number): RejectedRecord {
  const index = rejected.index + first
  const pointer = rejected.pointer?.replace(/^\/records\/\d+(?=\/|$)/, `/records/${index}`)
  return { ...rejected, index, pointer }
}
