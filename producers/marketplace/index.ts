import type { Handler } from '../../platform/bus/runner.ts'
import type { Db } from '../../platform/db.ts'
import type { Route } from '../../platform/http/route.ts'
import type { PolicyDocument } from '../../schemas/policy/policy-document.ts'
import { byNameRoutes } from './catalog/by-name.ts'
import { type DownloadCounter, downloadsRoute } from './catalog/downloads.ts'
import { listRoute } from './catalog/list-versions.ts'
import { nameRoutes } from './catalog/names.ts'
import { olderAlike } from './catalog/older-alike.ts'
import type { MarketplaceDeps } from './deps.ts'
import { identityRoutes } from './identities.ts'
import { onReviewed } from './on-reviewed.ts'
import { onVerdict } from './on-verdict.ts'
import { apiKeyRoutes } from './orgs/api-keys.ts'
import { memberRoutes } from './orgs/members.ts'
import { organisationRoutes } from './orgs/organisations.ts'
import { suspensionRoutes } from './orgs/suspensions.ts'
import { packageRoutes } from './packages.ts'
import { policyRoutes } from './policy/routes.ts'
import { recordRoutes } from './record/routes.ts'
import { onAnalyzerChanged } from './rescans/on-analyzer-changed.ts'
import { onRescanned } from './rescans/on-rescanned.ts'
import { rescanRoutes } from './rescans/rescan-routes.ts'
import { onPlanCreated } from './review/on-plan-created.ts'
import { placeInQueue } from './review/queue.ts'
import { reviewRoutes } from './review/routes.ts'
import { revokedSignerRoutes } from './revoked-signers.ts'
import { readAllKeys } from './signers.ts'
import { signingKeyRoutes } from './signing-keys.ts'
import { uploadRoute } from './upload.ts'
import { withdrawalRoutes } from './withdrawals.ts'

/** Every call of port 8050. `allTenants` is the pool of the marketplace's own role. */
export const marketplaceRoutes = (
  deps: MarketplaceDeps,
  allTenants: Db,
  downloads: Pick<DownloadCounter, 'count'>,
): Route[] => [
  uploadRoute(deps, {
    foreignKeys: readAllKeys(allTenants),
    placeOf: placeInQueue(allTenants),
    olderAlike: olderAlike(allTenants),
  }),
  // Before the calls on an id, or their first words would be taken for one.
  listRoute(deps, allTenants),
  ...byNameRoutes(deps),
  ...nameRoutes(deps),
  ...packageRoutes(deps, downloads, placeInQueue(allTenants)),
  downloadsRoute(deps),
  ...rescanRoutes(deps),
  ...reviewRoutes(deps),
  ...policyRoutes(),
  ...withdrawalRoutes(deps),
  ...signingKeyRoutes(deps),
  ...identityRoutes(deps),
  ...apiKeyRoutes(deps),
  ...recordRoutes(deps),
  ...organisationRoutes(deps),
  ...suspensionRoutes(deps),
  ...memberRoutes(deps),
  ...revokedSignerRoutes(deps),
]

/** What the marketplace reacts to, as the consumer group `marketplace`. */
export const marketplaceHandlers = ({ now }: Pick<MarketplaceDeps, 'now'>, policy?: PolicyDocument): Handler[] => [
  onVerdict(now, policy),
  onReviewed(now),
  onAnalyzerChanged(now),
  onRescanned(now),
  onPlanCreated(),
]
