import { type Command, type Context, EXIT, needed, show, table, text, UsageError, type Values } from './command.ts'
import { type Asked, follow, type Progress, planOrFollow, type Replay } from './replay-progress.ts'

const ACTS = ['pause', 'resume', 'cancel'] as const

export const replayCommands: Command[] = [
  {
    name: 'replay list',
    usage: '[--limit N] [--cursor C]',
    summary: 'replays and rebuilds, the newest first',
    options: { limit: { type: 'string' }, cursor: { type: 'string' } },
    async run(context, values) {
      const query = { limit: text(values, 'limit'), cursor: text(values, 'cursor') }
      const answer = await context.api.get<{ replays: Replay[]; next: string | null }>('/data/replays', query)
      await show(context, answer, () =>
        table(
          ['id', 'kind', 'of', 'state', 'events', 'applied', 'by', 'asked'],
          answer.replays.map((one) => [
            one.id,
            one.kind,
            one.projection ?? one.group,
            one.state,
            one.done,
            one.applied,
            one.requested_by,
            one.requested_at,
          ]),
        ),
      )
      for (const { id, note } of answer.replays) if (note !== null) context.say(`${id}: ${note}`)
      if (answer.next) context.say(`more with --cursor ${answer.next}`)
      return EXIT.ok
    },
  },
  {
    name: 'replay',
    usage: '--group G --from P --to P [--topic T]… [--shadow] [--execute] | --pause ID | --resume ID | --cancel ID',
    summary: 'a range of events to one group again; without --execute the plan; --shadow only compares',
    options: {
      group: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      topic: { type: 'string', multiple: true },
      shadow: { type: 'boolean' },
      execute: { type: 'boolean' },
      pause: { type: 'string' },
      resume: { type: 'string' },
      cancel: { type: 'string' },
      'accept-difference': { type: 'boolean' },
    },
    async run(context, values) {
      const acts = ACTS.filter((name) => values[name] !== undefined)
      if (acts.length > 1) throw new UsageError('give one of --pause, --resume and --cancel')
      if (acts[0]) return act(context, acts[0], values)
      const body = {
        group: needed(values, 'group'),
        from: needed(values, 'from'),
        to: needed(values, 'to'),
        ...(Array.isArray(values.topic) ? { topics: values.topic } : {}),
        ...(values.shadow === true ? { mode: 'shadow' } : {}),
        ...(values.execute === true ? { execute: true } : {}),
      }
      return planOrFollow(context, await context.api.post<Asked>('/data/replays', body))
    },
  },
]

async function act(context: Context, name: (typeof ACTS)[number], values: Values): Promise<number> {
  if (values.group !== undefined) throw new UsageError(`--${name} takes the id of a replay and nothing else`)
  const body = name === 'resume' && values['accept-difference'] === true ? { accept_difference: true } : {}
  const path = `/data/replays/${encodeURIComponent(needed(values, name))}/${name}`
  const replay = await context.api.post<Progress>(path, body)
  if (name === 'resume') return follow(context, replay)
  context.say(`${replay.id} is ${replay.state}`)
  if (context.json) await context.out(`${JSON.stringify(replay)}\n`)
  return EXIT.ok
}
