import { type Context, EXIT, table } from './command.ts'

export type Replay = {
  id: string
  kind: string
  group: string
  projection?: string
  state: string
  done: number
  applied: number
  left_out: number
  requested_by: string
  requested_at: string
  note: string | null
  result: Result | null
}
export type Progress = Replay & { total: number; rate_per_second: number | null; seconds_left: number | null }
type Sums = { rows: number; sha256: string }
type Result = {
  tables?: { table: string; live: Sums; shadow: Sums; only_live: number; only_shadow: number }[]
  hours?: number
  equal?: number | boolean
  less?: number
  missing?: number
  more?: number
  differences?: Difference[]
}
type Difference = {
  tenant: string
  hour: string
  meter: string
  package: string
  log: { quantity: string }
  counted: { quantity: string } | null
}
type Plan = {
  events: number
  types: { topic: string; type: string; handled: boolean; events: number; already_applied: number }[]
  first_recorded_at: string | null
  last_recorded_at: string | null
  handlers: { name: string }[]
  tables: string[]
  emits: string[]
  warnings: string[]
  refused: string | null
}
export type Asked = { executed: boolean; plan: Plan; replay?: Progress; tables?: Table[] }
export type Table = { table: string; rows: number; former_rows: number | null }

const EVERY_MS = 500

/** Shows a plan, or follows what was begun to its end. Returns the exit code. */
export async function planOrFollow(context: Context, asked: Asked): Promise<number> {
  const { plan, replay, tables = [] } = asked
  if (!replay || !context.json) await showPlan(context, asked)
  for (const { table: name, rows, former_rows: former } of tables)
    context.say(`${name}: about ${rows} rows${former === null ? '' : `, about ${former} in the former table`}`)
  for (const warning of plan.warnings) context.say(`note: ${warning}`)
  if (plan.refused !== null) context.say(`would be refused: ${plan.refused}`)
  if (replay) return follow(context, replay)
  context.say('nothing was changed; --execute does it')
  return EXIT.ok
}

async function showPlan(context: Context, asked: Asked): Promise<void> {
  if (context.json) return context.out(`${JSON.stringify(asked)}\n`)
  const { plan } = asked
  const span = plan.first_recorded_at === null ? '' : `, ${plan.first_recorded_at} to ${plan.last_recorded_at}`
  context.say(`${plan.events} events${span}`)
  context.say(`handlers: ${plan.handlers.map(({ name }) => name).join(', ')}`)
  context.say(`tables: ${plan.tables.join(', ') || 'none'}; events published: ${plan.emits.join(', ') || 'none'}`)
  await context.out(
    table(
      ['topic', 'type', 'events', 'already applied'],
      plan.types.map((one) => [one.topic, one.type, one.events, one.handled ? one.already_applied : 'not handled']),
    ),
  )
}

/** Tells how far a replay is until it ends or rests; interrupting the command leaves it at work. */
export async function follow(context: Context, begun: Progress): Promise<number> {
  let last = ''
  context.say(`${begun.id}: ${begun.kind} of ${begun.projection ?? begun.group}; Ctrl-C leaves it at work`)
  for (let replay = begun; ; ) {
    const line = progressLine(replay)
    if (line !== last) context.say(line)
    last = line
    if (replay.state !== 'running') return ended(context, replay)
    await context.pause(EVERY_MS)
    if (context.interrupted()) return EXIT.ok
    replay = await context.api.get<Progress>(`/data/replays/${begun.id}`)
  }
}

function progressLine({ state, done, total, rate_per_second: rate, seconds_left: seconds, note }: Progress): string {
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
  const pace = rate === null ? '' : `, ${rate}/s`
  const left = seconds === null ? '' : `, ${seconds} s left`
  return `${state}: ${done} of ${total} events (${percent} %)${pace}${left}${note === null ? '' : ` - ${note}`}`
}

async function ended(context: Context, replay: Progress): Promise<number> {
  const { result, applied, left_out } = replay
  if (context.json) await context.out(`${JSON.stringify(replay)}\n`)
  else if (result) await context.out(resultTable(result))
  context.say(`${applied} had an effect${left_out > 0 ? `, ${left_out} were left out` : ''}`)
  return replay.state === 'done' ? EXIT.ok : EXIT.refused
}

function resultTable(result: Result): string {
  if (result.tables)
    return table(
      ['table', 'rows live', 'rows built', 'only live', 'only built', 'checksum'],
      result.tables.map((one) => [
        one.table,
        one.live.rows,
        one.shadow.rows,
        one.only_live,
        one.only_shadow,
        one.live.sha256 === one.shadow.sha256 ? `equal ${one.live.sha256.slice(0, 12)}` : 'differs',
      ]),
    )
  const counts = table(
    ['hours', 'equal', 'less', 'missing', 'more'],
    [[result.hours, result.equal, result.less, result.missing, result.more]],
  )
  const differences = result.differences ?? []
  if (differences.length === 0) return counts
  const rows = differences.map((one) => [
    one.tenant,
    one.hour,
    one.meter,
    one.package,
    one.log.quantity,
    one.counted?.quantity ?? null,
  ])
  return `${counts}\n${table(['tenant', 'hour', 'meter', 'package', 'in the log', 'counted'], rows)}`
}
