/** A stream: order holds per key inside one topic, so a topic carries every event of its kind of life. */
export type Topic = {
  name: string
  partitions: number
  retentionDays: number
  key: string
  owner: string
  /** Events of a key say what became of one thing: after one that could not be applied, the next ones must wait. */
  keyedState?: boolean
}

/** The registry that both bus backends provision from; topics are never created by use. */
export const topics = {
  wpk: {
    name: 'atom.wpk',
    partitions: 4,
    retentionDays: 3650,
    key: 'package name',
    owner: 'producers/marketplace',
    keyedState: true,
  },
  usage: { name: 'atom.usage', partitions: 4, retentionDays: 35, key: 'tenant', owner: 'producers/usage' },
  billing: {
    name: 'atom.billing',
    partitions: 4,
    retentionDays: 3650,
    key: 'tenant, or partner of a plan',
    owner: 'consumers/metering',
    keyedState: true,
  },
  orgs: {
    name: 'atom.orgs',
    partitions: 4,
    retentionDays: 3650,
    key: 'organisation',
    owner: 'producers/marketplace',
    keyedState: true,
  },
} as const satisfies Record<string, Topic>

export const topicList: readonly Topic[] = Object.values(topics)

/** Dead letters of one consumer group; redriving them reaches that group only. */
export const deadLetterTopic = (topic: string, group: string) => `${topic}.dlq.${group}`
