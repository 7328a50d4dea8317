import type { Handler } from '../../platform/bus/runner.ts'
import type { Route } from '../../platform/http/route.ts'
import type { Metrics } from '../../platform/metrics.ts'
import type { FeedDeps } from './deps.ts'
import { expireFeed } from './expire-feed.ts'
import { feedRoute } from './feed-route.ts'
import { readerHandler } from './on-reader.ts'
import { toldHandlers } from './on-told-event.ts'
import { visibilityHandler } from './on-visibility.ts'
import { deliveryRoutes } from './webhooks/delivery-routes.ts'
import { measureWebhooks } from './webhooks/measure-webhooks.ts'
import { standingHandlers } from './webhooks/on-org-standing.ts'
import { openBox } from './webhooks/open-box.ts'
import { openSender } from './webhooks/sender.ts'
import { webhookRoutes } from './webhooks/webhook-routes.ts'

type Options = Omit<FeedDeps, 'box' | 'addresses'> & {
  metrics: Metrics
  webhookKey: string | undefined
  webhookPrivate: string
}
export type Feeds = {
  routes: Route[]
  /** What is to be done now and then. */
  timers: { name: string; everyMs: number; work: () => Promise<unknown>; idleMs?: number }[]
  stop(): Promise<void>
}

const SEND_MS = 1_000
const SEND_IDLE_MS = 5_000
const MEASURE_MS = 15_000
const EXPIRE_MS = 3_600_000

/** The feed and the webhooks. Throws when the key that seals secrets cannot be used. */
export async function openFeeds(options: Options): Promise<Feeds> {
  const { metrics, webhookKey, webhookPrivate, ...rest } = options
  const box = await openBox(rest.allOrgs, webhookKey)
  const deps: FeedDeps = { ...rest, box, addresses: { allowPrivate: webhookPrivate === 'on' } }
  const calls = metrics.counter('atom_webhook_calls_total', 'Calls of webhooks by outcome', ['outcome'])
  const sender = openSender({ ...deps, ended: (outcome) => calls.inc({ outcome }) })
  return {
    routes: feedRoutes(deps),
    timers: [
      { name: 'calling of webhooks', everyMs: SEND_MS, work: sender.tick, idleMs: SEND_IDLE_MS },
      { name: 'measuring of webhooks', everyMs: MEASURE_MS, work: measureWebhooks(deps, metrics) },
      { name: 'expiry of the feed', everyMs: EXPIRE_MS, work: () => expireFeed(deps.allOrgs, deps.now()) },
    ],
    stop: sender.stop,
  }
}

/** What the feed reacts to, as the consumer group `feeds`. */
export const feedHandlers = ({ now }: Pick<FeedDeps, 'now'>): Handler[] => [
  ...toldHandlers({ now }),
  visibilityHandler(),
  readerHandler(),
  ...standingHandlers(),
]

export const feedRoutes = (deps: FeedDeps): Route[] => [
  feedRoute(deps),
  ...webhookRoutes(deps),
  ...deliveryRoutes(deps),
]
