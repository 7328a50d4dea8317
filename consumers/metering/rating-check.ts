import type { HealthCheck } from '../../platform/http/health.ts'

/** Says in `/health` whether a tenant cannot be rated; `failing` is who, with the reason. */
export const ratingCheck = (failing: ReadonlyMap<string, string>): HealthCheck => ({
  name: 'rating',
  async run() {
    if (failing.size === 0) return { status: 'ok' }
    const detail = `${failing.size} tenant(s) cannot be rated; the log says why`
    return { status: 'failed', code: 'rating_failed', detail }
  },
})
