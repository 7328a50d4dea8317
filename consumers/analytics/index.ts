import type { Handler } from '../../platform/bus/runner.ts'
import { packagesProjection } from './projections/packages.ts'
import { revenueProjection } from './projections/revenue.ts'
import { usageProjection } from './projections/usage.ts'

/** Every projection, as the consumer group `analytics`. */
export const analyticsHandlers = (): Handler[] => [...packagesProjection, ...revenueProjection, ...usageProjection]
