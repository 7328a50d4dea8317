import { type Command, type Context, EXIT, needed, show, table, text, UsageError, type Values } from './command.ts'

type Letter = {
  id: string
  group: string
  topic: string
  key: string
  type: string | null
  code: string
  attempts: number
  failed_at: string
}
type Count = { group: string; topic: string; code: string; error: string; count: number }
type Acted = { matching: number; parked: number; requested?: number; discarded?: number; executed: boolean }

const selection = {
  group: { type: 'string' },
  id: { type: 'string', multiple: true },
  code: { type: 'string' },
  execute: { type: 'boolean' },
} as const

export const deadLetterCommands: Command[] = [
  {
    name: 'dlq list',
    usage: '[--group G] [--code C] [--limit N] [--cursor C]',
    summary: 'dead letters, oldest first, and how many there are of each error',
    options: {
      group: { type: 'string' },
      code: { type: 'string' },
      limit: { type: 'string' },
      cursor: { type: 'string' },
    },
    async run(context, values) {
      const query = Object.fromEntries(['group', 'code', 'limit', 'cursor'].map((name) => [name, text(values, name)]))
      const answer = await context.api.get<{ letters: Letter[]; counts: Count[]; next: string | null }>(
        '/data/dlq',
        query,
      )
      await show(context, answer, () =>
        table(
          ['id', 'group', 'topic', 'key', 'type', 'code', 'attempts', 'failed'],
          answer.letters.map((one) => [
            one.id,
            one.group,
            one.topic,
            one.key,
            one.type,
            one.code,
            one.attempts,
            one.failed_at,
          ]),
        ),
      )
      for (const { group, topic, code, error, count } of answer.counts)
        context.say(`${count} of group ${group} in ${topic}: ${code} (${error})`)
      if (answer.counts.length === 0) context.say('no dead letters')
      if (answer.next) context.say(`more with --cursor ${answer.next}`)
      return EXIT.ok
    },
  },
  {
    name: 'dlq show',
    usage: 'ID',
    summary: 'one dead letter as it came',
    options: {},
    positionals: 1,
    async run(context, _values, [id]) {
      const letter = await context.api.get<object>(`/data/dlq/${encodeURIComponent(id ?? '')}`)
      await context.out(`${JSON.stringify(letter, null, context.json ? 0 : 2)}\n`)
      return EXIT.ok
    },
  },
  {
    name: 'dlq redrive',
    usage: '--group G [--id ID]… [--code C] [--execute]',
    summary: 'have the group apply dead letters again; without --execute only counts',
    options: selection,
    async run(context, values) {
      const done = await context.api.post<Acted>('/data/dlq/redrive', selected(values))
      return acted(context, done, `${done.requested} are applied again by their group, shortly`)
    },
  },
  {
    name: 'dlq discard',
    usage: '--group G --reason TEXT [--id ID]… [--code C] [--execute]',
    summary: 'give dead letters up; who and why is kept; without --execute only counts',
    options: { ...selection, reason: { type: 'string' } },
    async run(context, values) {
      const body = { ...selected(values), reason: needed(values, 'reason') }
      const done = await context.api.post<Acted>('/data/dlq/discard', body)
      return acted(context, done, `${done.discarded} are given up`)
    },
  },
]

function selected(values: Values): object {
  const { id: ids, execute } = values
  if (Array.isArray(ids) && text(values, 'code') !== undefined) throw new UsageError('give --id or --code, not both')
  const code = text(values, 'code')
  return {
    group: needed(values, 'group'),
    ...(Array.isArray(ids) ? { ids } : {}),
    ...(code === undefined ? {} : { code }),
    ...(execute === true ? { execute } : {}),
  }
}

async function acted(context: Context, answer: Acted, done: string): Promise<number> {
  const waiting = answer.parked > 0 ? `, ${answer.parked} of them waiting behind another of their key` : ''
  context.say(`${answer.matching} dead letters match${waiting}`)
  context.say(answer.executed ? done : 'nothing was changed; --execute does it')
  if (context.json) await context.out(`${JSON.stringify(answer)}\n`)
  return EXIT.ok
}
