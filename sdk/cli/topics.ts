import { type Command, EXIT, show, table } from './command.ts'

type Topic = {
  name: string
  partitions: number
  retention_days: number
  key: string
  records: number
  last_recorded_at: string | null
}

export const topicsCommand: Command = {
  name: 'topics',
  usage: '',
  summary: 'topics and what they hold',
  options: {},
  async run(context) {
    const answer = await context.api.get<{ topics: Topic[] }>('/data/topics')
    await show(context, answer, () =>
      table(
        ['topic', 'partitions', 'kept', 'key', 'records', 'last'],
        answer.topics.map((one) => [
          one.name,
          one.partitions,
          `${one.retention_days} d`,
          one.key,
          one.records,
          one.last_recorded_at,
        ]),
      ),
    )
    return EXIT.ok
  },
}
