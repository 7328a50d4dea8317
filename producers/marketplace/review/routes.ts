import type { Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { decideRoute } from './decide.ts'
import { dossierRoute } from './dossier.ts'
import { leaseRoutes } from './leases.ts'
import { overrideRoutes } from './override-routes.ts'
import { queueRoute } from './queue.ts'
import { templateRoute } from './template-route.ts'
import { threadRoutes } from './thread-routes.ts'

/** Everything a reviewer does. Fixed paths stand before `/reviews/:id`, which would take them for ids. */
export const reviewRoutes = (deps: MarketplaceDeps): Route[] => [
  queueRoute(deps),
  templateRoute(),
  ...overrideRoutes(deps),
  dossierRoute(deps),
  ...threadRoutes(deps),
  ...leaseRoutes(deps),
  decideRoute(deps),
]
