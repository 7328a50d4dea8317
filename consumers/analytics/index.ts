import type { Handler } from '../../platform/bus/runner.ts'
import type { Shadow } from '../../platform/replay/replay.ts'
import { packagesProjection } from './projections/packages.ts'
import { revenueProjection } from './projections/revenue.ts'
import { usageProjection } from './projections/usage.ts'

/** What analytics folds events into; each can be built again beside the live tables. */
export const projections: readonly Shadow[] = [packagesProjection, revenueProjection, usageProjection]

/** Every projection, as the consumer group `analytics`. */
export const analyticsHandlers = (): Handler[] => projections.flatMap((one) => one.handlers(one.schema))
