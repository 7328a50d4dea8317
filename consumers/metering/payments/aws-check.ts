import type { HealthCheck } from '../../../platform/http/health.ts'
import type { Metrics } from '../../../platform/metrics.ts'
import { countWindows, nearestDeadline } from './aws-store.ts'
import type { AwsDeps } from './send-aws-usage.ts'

type Watched = Pick<AwsDeps, 'allTenants' | 'meterUsage' | 'now'>

/** Says in `/health` whether usage goes to AWS, and how many windows are in which state. */
export const awsCheck = (deps: Watched): HealthCheck => ({
  name: 'aws-metering',
  async run() {
    const counts = (await countWindows(deps.allTenants)).map(({ state, n }) => `${n} ${state}`).join(', ')
    const mode = deps.meterUsage === null ? 'dry_run, nothing is sent while ATOM_AWS_METERING is off' : 'live'
    return { status: 'ok', detail: `${mode}; ${counts || 'no usage of packages that AWS bills'}` }
  },
})

/** Longer than any usage has: what the gauge shows when there is nothing to lose. */
const NOTHING_TO_LOSE_SECONDS = 86_400

/** Measures the time left. In a dry run there is no gauge: usage that is not to be sent is not lost. */
export function measureAws(deps: Watched, metrics: Metrics): () => Promise<void> {
  if (deps.meterUsage === null) return async () => {}
  const left = metrics.gauge(
    'atom_aws_metering_seconds_until_loss',
    'Seconds until the oldest usage that AWS has not got can no longer be sent; 86400 when it has all',
  )
  const windows = metrics.gauge('atom_aws_metering_windows', 'Windows of usage for AWS by their state', ['state'])
  return async () => {
    const deadline = await nearestDeadline(deps.allTenants)
    left.set(deadline ? (deadline.getTime() - deps.now().getTime()) / 1000 : NOTHING_TO_LOSE_SECONDS)
    windows.reset()
    for (const { state, n } of await countWindows(deps.allTenants)) windows.set({ state }, n)
  }
}
