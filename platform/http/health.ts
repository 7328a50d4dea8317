import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { failureLog } from '../failure-log.ts'
import type { Log } from '../log.ts'
import type { Compliance, PolicyStatus } from '../policies.ts'
import { isConnectionFailure } from './problem.ts'

/**
 * `code` is stable and `detail` plain: anybody may read them. `cause` goes to the log only. A `warning` is for people:
 * what needs them but answers every request must not be taken out of service by whoever asks for readiness.
 */
export type CheckResult =
  | { status: 'ok'; detail?: string }
  | { status: 'warning' | 'failed'; code: string; detail: string; cause?: string }
export type HealthCheck = { name: string; run(): Promise<CheckResult> }
export type HealthReport = {
  status: 'ok' | 'degraded' | 'starting'
  service: string
  version: string
  checks: { name: string; status: string; code?: string; detail?: string }[]
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
  log: Log
  now: Clock
}): Health {
  const { service, version } = options
  const failed = failureLog(options.log.child({ service }), 'health check failed')

  async function resultOf(check: HealthCheck) {
    const { cause = null, ...shown } = { cause: null, ...(await runCheck(check)) }
    failed(check.name, shown.status === 'ok' ? null : (cause ?? shown.detail))
    return { name: check.name, ...shown }
  }

  return {
    async report() {
      const [checks, policies] = await Promise.all([Promise.all(options.checks.map(resultOf)), options.policies()])
      const isDegraded =
        checks.some(({ status }) => status === 'failed') || policies.some(({ status }) => status === 'violated')
      const status = !options.ready() ? 'starting' : isDegraded ? 'degraded' : 'ok'
      return { status, service, version, checks, policies }
    },
  }
}

async function runCheck(check: HealthCheck): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<CheckResult>((resolve) => {
    timer = setTimeout(
      () => resolve({ status: 'failed', code: 'check_timeout', detail: 'no answer within 2 s' }),
      CHECK_TIMEOUT_MS,
    )
  })
  try {
    return await Promise.race([check.run(), late])
  } catch (error) {
    return { status: 'failed', ...plain(error), cause: messageOf(error) }
  } finally {
    clearTimeout(timer)
  }
}

/** What drivers say names hosts, paths and users of the inside. */
const plain = (error: unknown): { code: string; detail: string } =>
  isConnectionFailure(error)
    ? { code: 'database_unreachable', detail: 'the database cannot be reached; the log says why' }
    : { code: 'check_failed', detail: 'the check could not be made; the log says why' }
