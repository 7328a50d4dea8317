import { messageOf } from '../../platform/errors.ts'
import type { MeteringDeps } from './deps.ts'

/**
 * One tenant's failure is that tenant's: it is logged, kept for the health check, and the others go on. Returns null
 * when the work failed.
 */
export async function perTenant<T>(deps: MeteringDeps, tenant: string, work: () => Promise<T>): Promise<T | null> {
  try {
    const result = await work()
    deps.failing.delete(tenant)
    return result
  } catch (error) {
    if (!deps.failing.has(tenant)) deps.log.error('rating failed', { tenant, error: messageOf(error) })
    deps.failing.set(tenant, messageOf(error))
    return null
  }
}
