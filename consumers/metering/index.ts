import type { Handler } from '../../platform/bus/runner.ts'
import type { Route } from '../../platform/http/route.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { closeRoute } from './close-route.ts'
import { creditRoutes } from './credits/credit-routes.ts'
import type { MeteringDeps } from './deps.ts'
import { invoiceRoutes } from './invoice-routes.ts'
import { ledgerRoute } from './ledger-routes.ts'
import { contractRoutes } from './life/contract-routes.ts'
import { creditNoteRoutes } from './life/credit-note-routes.ts'
import { journalRoutes } from './life/journal-routes.ts'
import { lifeRoutes } from './life/life-routes.ts'
import { onUsageReported } from './on-usage-reported.ts'
import { onWpkPublished } from './on-wpk-published.ts'
import { planRoutes } from './plan-routes.ts'
import { previewRoute } from './preview-route.ts'
import { onWithdrawn } from './quarantine/on-withdrawn.ts'
import { quarantineRoutes } from './quarantine/quarantine-routes.ts'
import { receiptRoute } from './receipt-routes.ts'
import { proofRoute } from './receipts/proof-route.ts'
import { reratingRoutes } from './rerating/rerating-routes.ts'
import { subscriptionRoutes } from './subscription-routes.ts'

/** Every call of metering on port 8060. */
export const meteringRoutes = (deps: MeteringDeps): Route[] => [
  ...invoiceRoutes(deps),
  ...lifeRoutes(deps),
  ...creditNoteRoutes(deps),
  ...journalRoutes(deps),
  ...contractRoutes(deps),
  ...planRoutes(deps),
  previewRoute(deps),
  ...reratingRoutes(deps),
  ...subscriptionRoutes(deps),
  receiptRoute(deps),
  proofRoute(deps),
  ledgerRoute(deps),
  closeRoute(deps),
  ...quarantineRoutes(deps),
  ...creditRoutes(deps),
]

/** What metering reacts to, as the consumer group `metering`. */
export const meteringHandlers = (metrics: Metrics, deps: Pick<MeteringDeps, 'now'>): Handler[] => [
  onUsageReported(metrics, deps.now),
  onWpkPublished(deps.now),
  ...onWithdrawn(deps.now),
]
