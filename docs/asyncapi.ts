import type { EventDefinition } from '../schemas/define-event.ts'
import { eventTypes } from '../schemas/index.ts'
import { deadLetterTopic, type Topic, topicList } from '../schemas/topics.ts'
import { type Reaction, reactions } from './consumer-table.ts'

const DAY_MS = 86_400_000
const ref = (...path: readonly string[]) => ({ $ref: `#/${path.join('/')}` })

/** The AsyncAPI 3 document of the whole system, from the registry and the handlers. One channel a topic. */
export function asyncapi(version: string) {
  const reacting = reactions()
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'ATOM Cloud Marketplace',
      version,
      description: 'CloudEvents 1.0 in binary mode: attributes are `ce_…` headers, the value is the data.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(topicList.map((topic) => [topic.name, channel(topic)])),
    operations: Object.fromEntries([...sends(reacting), ...receives(reacting)]),
    components: { messages: Object.fromEntries(eventTypes.map((one) => [one.type, message(one)])) },
  }
}

function channel(topic: Topic) {
  return {
    address: topic.name,
    description: `Key: ${topic.key}. Kept ${topic.retentionDays} days. Owner: ${topic.owner}.`,
    messages: Object.fromEntries(typesOf(topic).map(({ type }) => [type, ref('components', 'messages', type)])),
    bindings: {
      kafka: {
        topic: topic.name,
        partitions: topic.partitions,
        topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': topic.retentionDays * DAY_MS },
        bindingVersion: '0.5.0',
      },
    },
    'x-key': topic.key,
    'x-owner': topic.owner,
    'x-retention-days': topic.retentionDays,
  }
}

function message({ type, version, description, schema, example, topic, create }: EventDefinition) {
  const sample = create(example, { source: '//atom/example', now: new Date('2026-11-02T10:00:00.000Z'), id: 'example' })
  return {
    name: type,
    title: `${type} (v${version})`,
    summary: description,
    contentType: 'application/json',
    headers: headers(type, version),
    payload: schemaWithoutIds(schema),
    examples: [{ name: type, payload: example }],
    bindings: {
      kafka: {
        key: { type: 'string', description: topic.key, examples: [sample.partitionkey] },
        bindingVersion: '0.5.0',
      },
    },
  }
}

function headers(type: string, version: number) {
  const text = { type: 'string' }
  return {
    type: 'object',
    required: ['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_dataschema', 'ce_partitionkey'],
    properties: {
      ce_specversion: { const: '1.0' },
      ce_id: text,
      ce_source: text,
      ce_type: { const: type },
      ce_time: { type: 'string', format: 'date-time' },
      ce_dataschema: { const: `atom:${type}:${version}` },
      ce_partitionkey: text,
      ce_correlationid: text,
      ce_causationid: text,
      ce_subject: text,
      ce_traceparent: text,
    },
  }
}

/** What a service tells when it starts: no handler emits it, and it is not the owner of the topic. */
const TOLD_AT_START: Readonly<Record<string, string>> = { 'analyzer.changed': 'governance' }

/** A type is sent by the group whose handler emits it; one that no handler emits comes from an outside act. */
function sends(reacting: readonly Reaction[]): [string, object][] {
  const senderOf = ({ type, topic }: EventDefinition) =>
    reacting.find(({ emits }) => emits.includes(type))?.group ?? TOLD_AT_START[type] ?? topic.owner.replace(/^.*\//, '')
  return topicList.flatMap((topic) =>
    [...new Set(typesOf(topic).map(senderOf))].map((sender): [string, object] => [
      `${sender}.send.${topic.name}`,
      {
        action: 'send',
        channel: ref('channels', topic.name),
        summary: `${sender} writes to ${topic.name}.`,
        messages: typesOf(topic)
          .filter((one) => senderOf(one) === sender)
          .map(({ type }) => ref('channels', topic.name, 'messages', type)),
      },
    ]),
  )
}

/** One operation for each group and topic it reads; what it cannot apply goes to the dead letters named here. */
function receives(reacting: readonly Reaction[]): [string, object][] {
  return topicList.flatMap((topic) =>
    groupsOf(topic, reacting).map(([group, types]): [string, object] => [
      `${group}.receive.${topic.name}`,
      {
        action: 'receive',
        channel: ref('channels', topic.name),
        summary: `The consumer group ${group} reads ${topic.name}.`,
        messages: types.map((type) => ref('channels', topic.name, 'messages', type)),
        bindings: { kafka: { groupId: { type: 'string', const: group }, bindingVersion: '0.5.0' } },
        'x-dead-letters': deadLetterTopic(topic.name, group),
      },
    ]),
  )
}

/** The consumer groups of a topic, each with the types it handles, in the order of the registry. */
export function groupsOf(topic: Topic, reacting: readonly Reaction[]): [group: string, types: string[]][] {
  return [...new Set(reacting.map(({ group }) => group))]
    .map((group): [string, string[]] => {
      const handled = new Set(reacting.filter((one) => one.group === group).map(({ type }) => type))
      return [
        group,
        typesOf(topic)
          .map(({ type }) => type)
          .filter((type) => handled.has(type)),
      ]
    })
    .filter(([, types]) => types.length > 0)
}

export const typesOf = (topic: Topic): EventDefinition[] => eventTypes.filter((one) => one.topic.name === topic.name)

/** `$id` inside a document changes what its references resolve against. */
const schemaWithoutIds = (schema: object): unknown =>
  JSON.parse(JSON.stringify(schema, (key, value: unknown) => (key === '$id' ? undefined : value)))
