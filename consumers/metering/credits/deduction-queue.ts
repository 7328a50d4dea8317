import { fault } from '../../../platform/fault.ts'
import type { MeteringDeps } from '../deps.ts'
import { type Deduction, deductAll, type Outcome } from './deduct.ts'

type Waiting = { asked: Deduction; resolve(outcome: Outcome): void; reject(error: unknown): void }
/** Keeps a transaction short, so that others who want the wallet get it. */
const MOST_AT_ONCE = 200

/**
 * Deductions of one wallet follow each other, and each would wait for the disk. What comes while one is being written
 * waits here and is written together: the busier a wallet, the more share a transaction. Answers only once durable.
 */
export function deductionQueue({ allTenants, now }: Pick<MeteringDeps, 'allTenants' | 'now'>) {
  const lanes = new Map<string, Waiting[]>()

  async function drain(tenant: string, lane: Waiting[]): Promise<void> {
    while (lane.length > 0) {
      const batch = lane.splice(0, MOST_AT_ONCE)
      try {
        const asked = batch.map((one) => one.asked)
        const outcomes = await allTenants.transaction((tx) => deductAll(tx, tenant, asked, now()))
        fault('credits.after-deduction')
        for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] as Outcome)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    lanes.delete(tenant)
  }

  return (tenant: string, asked: Deduction): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const lane = lanes.get(tenant)
      if (lane) {
        lane.push({ asked, resolve, reject })
        return
      }
      const opened = [{ asked, resolve, reject }]
      lanes.set(tenant, opened)
      void drain(tenant, opened)
    })
}
