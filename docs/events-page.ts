import { deadLetterTopic, type Topic, topicList } from '../schemas/topics.ts'
import { fileOf, type PublishedSchema } from '../schemas/versions.ts'
import { groupsOf, typesOf } from './asyncapi.ts'
import { type Reaction, reactions } from './consumer-table.ts'

/** The lines of the reference page of topics and events. */
export function eventLines(onFile: readonly PublishedSchema[]): string[] {
  const reacting = reactions()
  return [
    'CloudEvents 1.0, binary mode: attributes are `ce_…` headers, the value is the data shown here.',
    'The same as an AsyncAPI 3 document: [asyncapi.json](asyncapi.json). How schemas change:',
    '[ADR 0007](../adr/0007-schemas-evolve.md).',
    '',
    '| topic | key | partitions | kept | owner | consumers |',
    '|---|---|---|---|---|---|',
    ...topicList.map(
      (topic) =>
        `| [${topic.name}](#${topic.name.replaceAll('.', '')}) | ${topic.key} | ${topic.partitions} | ${topic.retentionDays} days | ${topic.owner} | ${
          groupsOf(topic, reacting)
            .map(([group]) => group)
            .join(', ') || 'nobody'
        } |`,
    ),
    '',
    ...topicList.flatMap((topic) => topicLines(topic, reacting, onFile)),
  ]
}

function topicLines(topic: Topic, reacting: readonly Reaction[], onFile: readonly PublishedSchema[]): string[] {
  return [
    `## ${topic.name}`,
    '',
    `Key: ${topic.key}. ${topic.partitions} partitions, kept ${topic.retentionDays} days. Owner: ${topic.owner}.`,
    '',
    '| consumer group | reads | dead letters |',
    '|---|---|---|',
    ...groupsOf(topic, reacting).map(
      ([group, types]) => `| ${group} | ${types.join(', ')} | \`${deadLetterTopic(topic.name, group)}\` |`,
    ),
    '',
    ...typesOf(topic).flatMap((definition) => {
      const { type, version, description, example, create } = definition
      const { partitionkey } = create(example, { source: '//atom/example', now: new Date(0), id: 'example' })
      const handlers = reacting.filter((one) => one.type === type).map(({ handler }) => `\`${handler}\``)
      const emittedBy = reacting.filter(({ emits }) => emits.includes(type)).map(({ handler }) => `\`${handler}\``)
      const files = onFile
        .filter((one) => one.type === type)
        .sort((a, b) => a.major - b.major || a.revision - b.revision)
        .map(fileOf)
      return [
        `### ${type} (v${version})`,
        '',
        description,
        '',
        `- Key of the example: \`${partitionkey}\``,
        `- Handled by: ${handlers.join(', ') || 'nobody'}`,
        ...(emittedBy.length > 0 ? [`- Emitted by: ${emittedBy.join(', ')}`] : []),
        `- Schemas on file: ${files.map((file) => `[${file}](../../schemas/versions/${file})`).join(', ')}`,
        '',
        '```json',
        JSON.stringify(example, null, 2),
        '```',
        '',
      ]
    }),
  ]
}
