import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Compliance, PolicyStatus } from '../policies.ts'

export type CheckResult = { status: 'ok' | 'failed'; detail?: string }
export type HealthCheck = { name: string; run(): Promise<CheckResult> }
export type HealthReport = {
  status: 'ok' | 'degraded' | 'starting'
  service: string
  version: string
  checks: { name: string; status: string; detail?: string }[]
  policies: PolicyStatus[]
}
export type Health = { report(): Promise<HealthReport> }

const CHECK_TIMEOUT_MS = 2_000

/** What `/health` answers: `starting` until `ready()`, then what the checks and the policies find now. */
export function createHealth(options: {
  service: string
  version: string
  checks: readonly HealthCheck[]
  policies: Compliance
  ready: () => boolean
  now: Clock
}): Health {
  return {
    async report() {
      const { service, version } = options
      const [checks, policies] = await Promise.all([Promise.all(options.checks.map(runCheck)), options.policies()])
      const failed =
        checks.some(({ status }) => status !== 'ok') || policies.some(({ status }) => status === 'violated')
      const status = !options.ready() ? 'starting' : failed ? 'degraded' : 'ok'
      return { status, service, version, checks, policies }
    },
  }
}

async function runCheck(check: HealthCheck) {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<CheckResult>((resolve) => {
    timer = setTimeout(() => resolve({ status: 'failed', detail: 'no answer within 2 s' }), CHECK_TIMEOUT_MS)
  })
  try {
    return { name: check.name, ...(await Promise.race([check.run(), late])) }
  } catch (error) {
    return { name: check.name, status: 'failed', detail: messageOf(error) }
  } finally {
    clearTimeout(timer)
  }
}
