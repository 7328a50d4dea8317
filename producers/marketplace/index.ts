import type { Handler } from '../../platform/bus/runner.ts'
import type { Db } from '../../platform/db.ts'
import type { Route } from '../../platform/http/route.ts'
import { apiKeyRoutes } from './api-keys.ts'
import type { MarketplaceDeps } from './deps.ts'
import { identityRoutes } from './identities.ts'
import { onReviewed } from './on-reviewed.ts'
import { onVerdict } from './on-verdict.ts'
import { packageRoutes } from './packages.ts'
import type { PolicyDocument } from './policy/policy-document.ts'
import { policyRoutes } from './policy/routes.ts'
import { recordRoutes } from './record/routes.ts'
import { placeInQueue } from './review/queue.ts'
import { reviewRoutes } from './review/routes.ts'
import { readAllKeys } from './signers.ts'
import { signingKeyRoutes } from './signing-keys.ts'
import { uploadRoute } from './upload.ts'
import { withdrawalRoutes } from './withdrawals.ts'

/** Every call of port 8050. `allTenants` is the pool of the marketplace's own role. */
export const marketplaceRoutes = (deps: MarketplaceDeps, allTenants: Db): Route[] => [
  uploadRoute(deps, readAllKeys(allTenants), placeInQueue(allTenants)),
  ...packageRoutes(deps, placeInQueue(allTenants)),
  ...reviewRoutes(deps),
  ...policyRoutes(),
  ...withdrawalRoutes(deps),
  ...signingKeyRoutes(deps),
  ...identityRoutes(deps),
  ...apiKeyRoutes(deps),
  ...recordRoutes(deps),
]

/** What the marketplace reacts to, as the consumer group `marketplace`. */
export const marketplaceHandlers = ({ now }: Pick<MarketplaceDeps, 'now'>, policy?: PolicyDocument): Handler[] => [
  onVerdict(now, policy),
  onReviewed(now),
]
