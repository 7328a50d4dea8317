import type { Db } from '../../platform/db.ts'
import type { Answer, Route } from '../../platform/http/route.ts'
import { eventTypes } from '../../schemas/index.ts'
import { topicList } from '../../schemas/topics.ts'

type TopicCount = { topic: string; records: number; last_recorded_at: Date | null }

/** What data teams ask first: which topics there are, what is in them, and for how long. */
export function dataRoutes(db: Db): Route[] {
  async function topics(): Promise<Answer> {
    const counts = await db.query<TopicCount>(
      'select topic, count(*)::int as records, max(recorded_at) as last_recorded_at from platform.event_log group by topic',
    )
    const body = topicList.map((topic) => {
      const count = counts.find((one) => one.topic === topic.name)
      return {
        name: topic.name,
        partitions: topic.partitions,
        retention_days: topic.retentionDays,
        key: topic.key,
        owner: topic.owner,
        types: eventTypes.filter((type) => type.topic.name === topic.name).map(({ type }) => type),
        records: count?.records ?? 0,
        last_recorded_at: count?.last_recorded_at?.toISOString() ?? null,
      }
    })
    return { status: 200, body: { topics: body, next: null } }
  }

  return [
    {
      method: 'GET',
      path: '/data/topics',
      summary: 'Topics and what they hold',
      access: { roles: ['data'] },
      handle: topics,
    },
  ]
}
