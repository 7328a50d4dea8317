import { setTimeout } from 'node:timers/promises'
import { Fenced } from '../../../platform/bus/attempts.ts'
import { PositionInvalid } from '../../../platform/bus/position.ts'
import { sqlState } from '../../../platform/db.ts'
import { messageOf } from '../../../platform/errors.ts'
import { runPeriodically } from '../../../platform/periodic.ts'
import type { Rerating } from './rerating.ts'
import { nextRerating } from './rerating-rows.ts'
import { CHANGED_MEANWHILE, end, passOver, type ReratingDeps, reratingStep, TenantFailed } from './rerating-step.ts'

type Options = ReratingDeps & { everyMs?: number }

const EVERY_MS = 5_000
const ATTEMPTS = 5
const MOST_REST_MS = 1_000

/**
 * Works off what was asked for, one rerating at a time and in small steps beside live counting: each is one short
 * transaction with its progress, so that what a dead process began another goes on with. Rests as long as it worked.
 */
export function runReratings(options: Options): { stop(): Promise<void> } {
  const { everyMs = EVERY_MS, allTenants, log, now } = options
  const halt = new AbortController()
  const failures = new Map<string, number>()
  let maxRecords: number | undefined

  async function work(): Promise<void> {
    while (!halt.signal.aborted) {
      const rerating = await nextRerating(allTenants)
      if (!rerating) return
      const began = performance.now()
      if (!(await tried(rerating))) return
      const worked = Math.min(performance.now() - began, MOST_REST_MS)
      await setTimeout(worked, undefined, { ref: false, signal: halt.signal }).catch(() => {})
    }
  }

  /** False when it is to be tried again later. */
  async function tried(rerating: Rerating): Promise<boolean> {
    const { id } = rerating
    try {
      maxRecords = await reratingStep(options, rerating, maxRecords)
      failures.delete(id)
      return true
    } catch (error) {
      if (error instanceof Fenced || sqlState(error) === CHANGED_MEANWHILE) return false
      const failed = (failures.get(id) ?? 0) + 1
      failures.set(id, failed)
      log.warn('step of a rerating failed', { id, attempt: failed, error: messageOf(error) })
      if (failed < ATTEMPTS && !(error instanceof PositionInvalid)) return false
      failures.delete(id)
      const note = messageOf(error).toWellFormed().replaceAll('\0', '').slice(0, 1_000)
      if (error instanceof TenantFailed) {
        await passOver(allTenants, rerating, error.tenant, note)
        return true
      }
      const code = error instanceof PositionInvalid ? 'log_unreadable' : 'rerating_failed'
      await allTenants.transaction((tx) => end(tx, rerating, { state: 'failed', code, note, endedAt: now() }))
      return true
    }
  }

  const running = runPeriodically('replays of invoices', everyMs, work, log)
  return {
    stop() {
      halt.abort()
      return running.stop()
    },
  }
}
