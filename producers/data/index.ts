import type { Bus } from '../../platform/bus/bus.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { Answer, Route } from '../../platform/http/route.ts'
import type { ReplayGroup } from '../../platform/replay/replay.ts'
import { eventTypes } from '../../schemas/index.ts'
import { topicList } from '../../schemas/topics.ts'
import { deadLetterRoutes } from './dead-letter-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { groupRoutes } from './group-routes.ts'
import { projectionRoutes } from './projection-routes.ts'
import { replayRoutes } from './replay-routes.ts'

/** `groups`: what replays may be asked of; the groups do them wherever they run. */
export type DataDeps = { bus: Bus; db: Db; now: Clock; groups?: readonly ReplayGroup[] }

/** Every call of the data service on port 8090, all for the role `data`. */
export const dataRoutes = ({ groups = [], ...deps }: DataDeps): Route[] => [
  topicsRoute(deps.bus),
  ...eventRoutes(deps),
  ...deadLetterRoutes(deps),
  ...groupRoutes(deps.db),
  ...replayRoutes({ ...deps, groups }),
  ...projectionRoutes({ ...deps, groups }),
]

/** What data teams ask first: which topics there are, what is in them, and for how long. */
function topicsRoute(bus: Bus): Route {
  async function topics(): Promise<Answer> {
    const extents = await bus.extents(topicList)
    const body = topicList.map((topic) => {
      const extent = extents.find((one) => one.topic === topic.name)
      return {
        name: topic.name,
        partitions: topic.partitions,
        retention_days: topic.retentionDays,
        key: topic.key,
        owner: topic.owner,
        types: eventTypes.filter((type) => type.topic.name === topic.name).map(({ type }) => type),
        records: extent?.records ?? 0,
        last_recorded_at: extent?.lastRecordedAt?.toISOString() ?? null,
      }
    })
    return { status: 200, body: { topics: body, next: null } }
  }

  return {
    method: 'GET',
    path: '/data/topics',
    summary: 'Topics and what they hold',
    access: { roles: ['data'] },
    handle: topics,
  }
}
