import type { Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { decideRoute } from './decide.ts'
import { leaseRoutes } from './leases.ts'
import { queueRoute } from './queue.ts'

/** Everything a reviewer does. Fixed paths stand before `/reviews/:id`, which would take them for ids. */
export const reviewRoutes = (deps: MarketplaceDeps): Route[] => [
  queueRoute(deps),
  ...leaseRoutes(deps),
  decideRoute(deps),
]
