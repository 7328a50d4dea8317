import type { HealthCheck } from '../http/health.ts'
import type { Consuming } from './bus.ts'

const BEHIND_LIMIT_SECONDS = 60

/** Fails when the oldest event a group has not applied is older than a minute, or the group stopped itself. */
export function lagCheck(name: string, consuming: Consuming & { stopped?: () => string | null }): HealthCheck {
  return {
    name,
    async run() {
      const stopped = consuming.stopped?.() ?? null
      if (stopped !== null) return { status: 'failed', code: 'group_stopped', detail: `stopped: ${stopped}` }
      const behind = (await consuming.lag()).filter(({ records }) => records > 0)
      const seconds = Math.max(0, ...behind.map((one) => one.seconds))
      const records = behind.reduce((sum, one) => sum + one.records, 0)
      const detail = `${consuming.active() ? 'active' : 'standing by'}, ${records} events behind`
      if (seconds <= BEHIND_LIMIT_SECONDS) return { status: 'ok', detail }
      return { status: 'failed', code: 'group_behind', detail: `${detail} for ${Math.round(seconds)} s` }
    },
  }
}
