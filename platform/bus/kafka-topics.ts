import type { Topic } from '../../schemas/topics.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Admin } from './kafka-admin.ts'

export class TopicMismatch extends Error {
  readonly code = 'topic_mismatch'
}

/** A usage report may hold 2 MB, and its event repeats field names the report left out. */
export const MAX_RECORD_BYTES = 4 * 1024 * 1024
const DAY_MS = 86_400_000
const TOPIC_RESOURCE = 2

/**
 * Creates what the registry names and is not there yet. Throws `TopicMismatch` when a topic exists with another number
 * of partitions: keys would change their partition, and with it their order.
 */
export async function ensureTopics(admin: Admin, topics: readonly Topic[], log: Log): Promise<void> {
  const existing = new Set(await admin.listTopics())
  const missing = topics.filter(({ name }) => !existing.has(name))
  if (missing.length > 0) await create(admin, missing)
  const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) })
  for (const topic of topics) {
    const partitions = found.find(({ name }) => name === topic.name)?.partitions.length ?? 0
    if (partitions !== topic.partitions)
      throw new TopicMismatch(
        `topic ${topic.name} has ${partitions} partitions on the broker and ${topic.partitions} in the registry`,
      )
  }
  await reportDrift(
    admin,
    topics.filter(({ name }) => existing.has(name)),
    log,
  )
}

async function create(admin: Admin, topics: readonly Topic[]): Promise<void> {
  const brokers = (await admin.describeCluster()).brokers.length
  const replicationFactor = Math.min(3, brokers)
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: topics.map((topic) => ({
        topic: topic.name,
        numPartitions: topic.partitions,
        replicationFactor,
        configEntries: [
          ...Object.entries(settingsOf(topic)).map(([name, value]) => ({ name, value })),
          // Two of three hold a record before it is acknowledged; with fewer brokers there is nothing to ask for.
          { name: 'min.insync.replicas', value: replicationFactor === 3 ? '2' : '1' },
        ],
      })),
    })
  } catch (error) {
    throw new Error(`topics could not be created: ${reasons(error).join('; ')}`)
  }
}

const settingsOf = (topic: Topic): Record<string, string> => ({
  'retention.ms': String(topic.retentionDays * DAY_MS),
  'cleanup.policy': 'delete',
  // Records leave with their segment, so a segment must not span more than the day that events may stay too long.
  'segment.ms': String(DAY_MS),
  'max.message.bytes': String(MAX_RECORD_BYTES),
  // The broker's clock, as the embedded log has the database's: times never run backwards along a partition.
  'message.timestamp.type': 'LogAppendTime',
})

type Drift = { topic: string; name: string; found: string | undefined; wanted: string }

/** Somebody may have had a reason to change a topic, and altering a config drops every other override: say so only. */
async function reportDrift(admin: Admin, topics: readonly Topic[], log: Log): Promise<void> {
  for (const drift of await readDrift(admin, topics)) log.warn('topic differs from the registry', drift)
}

const RETENTION = ['retention.ms', 'cleanup.policy', 'segment.ms']

/** Settings of the brokers by which records would stay longer or shorter than the registry says. */
export async function retentionFaults(admin: Admin, topics: readonly Topic[]): Promise<string[]> {
  const drifts = await readDrift(admin, topics)
  return drifts
    .filter(({ name }) => RETENTION.includes(name))
    .map(({ topic, name, found, wanted }) => `${topic} has ${name} ${found} on the brokers, and it should be ${wanted}`)
}

async function readDrift(admin: Admin, topics: readonly Topic[]): Promise<Drift[]> {
  if (topics.length === 0) return []
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ name }) => ({ type: TOPIC_RESOURCE, name })),
  })
  return topics.flatMap((topic) => {
    const entries = resources.find(({ resourceName }) => resourceName === topic.name)?.configEntries ?? []
    return Object.entries(settingsOf(topic))
      .map(([name, wanted]) => ({
        topic: topic.name,
        name,
        found: entries.find(({ configName }) => configName === name)?.configValue,
        wanted,
      }))
      .filter(({ found, wanted }) => found !== wanted)
  })
}

/** A refused topic hides its reason one level down. */
function reasons(error: unknown): string[] {
  const inner = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [error]
  return inner.map(messageOf)
}
