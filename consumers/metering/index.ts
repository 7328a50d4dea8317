import type { Handler } from '../../platform/bus/runner.ts'
import type { Route } from '../../platform/http/route.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { closeRoute } from './close-route.ts'
import type { MeteringDeps } from './deps.ts'
import { invoiceRoutes } from './invoice-routes.ts'
import { ledgerRoute } from './ledger-routes.ts'
import { onUsageReported } from './on-usage-reported.ts'
import { onWpkPublished } from './on-wpk-published.ts'
import { planRoutes } from './plan-routes.ts'
import { previewRoute } from './preview-route.ts'
import { receiptRoute } from './receipt-routes.ts'
import { reratingRoutes } from './rerating/rerating-routes.ts'
import { subscriptionRoutes } from './subscription-routes.ts'

/** Every call of metering on port 8060. */
export const meteringRoutes = (deps: MeteringDeps): Route[] => [
  ...invoiceRoutes(deps),
  ...planRoutes(deps),
  previewRoute(deps),
  ...reratingRoutes(deps),
  ...subscriptionRoutes(deps),
  receiptRoute(deps),
  ledgerRoute(deps),
  closeRoute(deps),
]

/** What metering reacts to, as the consumer group `metering`. */
export const meteringHandlers = (metrics: Metrics, deps: Pick<MeteringDeps, 'now'>): Handler[] => [
  onUsageReported(metrics, deps.now),
  onWpkPublished,
]
