import type { Clock } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db.ts'
import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import type { Log } from '../../../platform/log.ts'
import { MeterError, type MeterRecord, type MeterResult, type MeterUsage } from './aws-marketplace-client.ts'
import {
  dueWindows,
  expireWindows,
  finishWindow,
  planProduct,
  type StoredWindow,
  unplannedProducts,
  type WindowOutcome,
} from './aws-store.ts'
import { batchesOf, timestampOf } from './aws-windows.ts'
import { retryDelayMs } from './retry-delay.ts'
import { hourOf } from './whole-hours.ts'

export type AwsDeps = {
  db: Db
  allTenants: Db
  log: Log
  now: Clock
  random: () => number
  /** Null while metering to AWS is off: windows are recorded, and nothing is sent. */
  meterUsage: MeterUsage | null
  leads: () => boolean
}

/** How long an hour may still get usage before it is cut; what comes later goes to the next window. */
const SETTLE_MS = 15 * 60_000
/** A record on its way when its deadline passes would have its whole call refused. */
const MARGIN_MS = 2 * 60_000
const DUE_LIMIT = 500

/** Cuts closed hours into windows, then sends what is due. One process does so at a time. Returns how many were taken. */
export async function sendAwsUsage(deps: AwsDeps): Promise<number> {
  const { allTenants, now, meterUsage } = deps
  if (!deps.leads()) return 0
  const until = hourOf(new Date(now().getTime() - SETTLE_MS))
  for (const key of await unplannedProducts(allTenants, until)) {
    await planProduct(allTenants, key, { until, now: now(), dry: meterUsage === null })
    fault('payments.aws-after-plan')
  }
  if (meterUsage === null) return 0
  const expired = await expireWindows(allTenants, new Date(now().getTime() + MARGIN_MS), now())
  if (expired > 0) deps.log.error('usage can no longer be sent to AWS', { windows: expired })
  const due = await dueWindows(allTenants, now(), DUE_LIMIT)
  let taken = 0
  for (const batch of batchesOf(due, sizeOf)) {
    if (!deps.leads()) break
    taken += await sendBatch(deps, meterUsage, batch)
  }
  return taken
}

/** Sends a call's worth. A call that is refused is halved until the record at fault stands alone. */
async function sendBatch(deps: AwsDeps, meterUsage: MeterUsage, batch: readonly StoredWindow[]): Promise<number> {
  let results: MeterResult[]
  try {
    results = await meterUsage(batch.map(recordOf))
    fault('payments.aws-after-send')
  } catch (error) {
    const { kind, code } = error instanceof MeterError ? error : { kind: 'retry' as const, code: 'internal' }
    if (kind === 'refused' && batch.length > 1) {
      const middle = Math.ceil(batch.length / 2)
      const halves = [batch.slice(0, middle), batch.slice(middle)]
      return (await sendBatch(deps, meterUsage, halves[0] ?? [])) + (await sendBatch(deps, meterUsage, halves[1] ?? []))
    }
    deps.log.warn('sending usage to AWS failed', {
      windows: batch.length,
      code,
      ...(code === 'internal' ? { error: messageOf(error) } : {}),
    })
    const state = kind === 'refused' ? 'failed' : 'pending'
    return record(deps, batch, () => ({ state, code, recordId: null }))
  }
  return record(deps, batch, (index) => outcomeOf(results[index] ?? null))
}

function outcomeOf(result: MeterResult): WindowOutcome {
  if (result === null) return { state: 'pending', code: 'aws_unprocessed', recordId: null }
  const { status, recordId } = result
  return status === 'Success'
    ? { state: 'sent', code: null, recordId }
    : { state: 'failed', code: `aws_${status}`, recordId }
}

async function record(
  { allTenants, now, random }: AwsDeps,
  batch: readonly StoredWindow[],
  outcome: (index: number) => WindowOutcome,
): Promise<number> {
  const at = now()
  await allTenants.transaction(async (tx) => {
    for (const [index, window] of batch.entries()) {
      const next = new Date(at.getTime() + retryDelayMs(window.attempts + 1, random()))
      await finishWindow(tx, window, outcome(index), { now: at, next })
    }
  })
  return batch.filter((_, index) => outcome(index).state === 'sent').length
}

const recordOf = (window: StoredWindow): MeterRecord => ({
  licenseArn: window.license_arn,
  customerAccount: window.customer_account,
  dimension: window.dimension,
  timestamp: timestampOf({ end: window.window_end }),
  quantity: BigInt(window.quantity),
})

/** More than the record's JSON: its texts, and room for its names, time and number. */
const sizeOf = ({ license_arn, customer_account, dimension }: StoredWindow): number =>
  Buffer.byteLength(JSON.stringify([license_arn, customer_account, dimension])) + 200
