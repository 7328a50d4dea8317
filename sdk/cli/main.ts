import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { auditCommands } from './audit.ts'
import { type Command, type Context, EXIT, UsageError } from './command.ts'
import { ApiRefused, dataApi, Unreachable } from './data-api.ts'
import { deadLetterCommands } from './dead-letters.ts'
import { exportCommand, tailCommand } from './events.ts'
import { groupCommands } from './groups.ts'
import { projectionCommands } from './projections.ts'
import { receiptCommands } from './receipts.ts'
import { replayCommands } from './replays.ts'
import { topicsCommand } from './topics.ts'

export type Streams = { out: (text: string) => Promise<void>; say: (line: string) => void; signal: AbortSignal }

const commands: readonly Command[] = [
  topicsCommand,
  tailCommand,
  exportCommand,
  ...deadLetterCommands,
  ...groupCommands,
  ...replayCommands,
  ...projectionCommands,
  ...auditCommands,
  ...receiptCommands,
]
const DEFAULT_API = 'http://127.0.0.1:8090'
const DEFAULT_MARKET = 'http://127.0.0.1:8050'

/** Runs one command line and returns its exit code. Data goes to `out`, everything else to `say`. */
export async function run(
  args: readonly string[],
  env: Record<string, string | undefined>,
  { out, say, signal }: Streams,
): Promise<number> {
  const command = commands.find(({ name }) => name.split(' ').every((word, at) => args[at] === word))
  if (!command) {
    const asked = args.length === 0 || args.includes('--help') || args.includes('-h')
    if (asked) await out(help())
    else say(`no command ${args.slice(0, 2).join(' ')}\n\n${help()}`)
    return asked ? EXIT.ok : EXIT.usage
  }
  try {
    const { values, positionals } = parseArgs({
      args: args.slice(command.name.split(' ').length),
      options: { ...command.options, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    if (values.help === true) {
      await out(`usage: atom ${command.name} ${command.usage}\n\n${command.summary}\n`)
      return EXIT.ok
    }
    if (positionals.length !== (command.positionals ?? 0))
      throw new UsageError(`expected ${command.positionals ?? 0} arguments, got ${positionals.length}`)
    const context: Context = {
      api: dataApi(env.ATOM_DATA_API ?? DEFAULT_API, env.ATOM_TOKEN, signal),
      market: dataApi(env.MARKET_API ?? DEFAULT_MARKET, env.ATOM_TOKEN, signal, 'MARKET_API'),
      json: values.json === true,
      out,
      say,
      pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
      interrupted: () => signal.aborted,
    }
    return await command.run(context, values as Parameters<Command['run']>[1], positionals)
  } catch (error) {
    if (signal.aborted) return EXIT.ok
    return failed(error, command, say)
  }
}

function failed(error: unknown, command: Command, say: (line: string) => void): number {
  if (!(error instanceof Error)) throw error
  const isUsage = error instanceof UsageError || ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
  if (isUsage) {
    say(`${error.message}\nusage: atom ${command.name} ${command.usage}`)
    return EXIT.usage
  }
  if (!(error instanceof ApiRefused) && !(error instanceof Unreachable)) throw error
  say(error.message)
  return error instanceof ApiRefused ? EXIT.refused : EXIT.unreachable
}

function help(): string {
  const lines = commands.map(({ name, usage, summary }) =>
    `  atom ${name} ${usage}`.trimEnd().concat(`\n      ${summary}\n`),
  )
  return `usage: atom COMMAND [--json]

${lines.join('')}
Data goes to standard output, everything else to standard error.
Settings: ATOM_DATA_API (default ${DEFAULT_API}), MARKET_API for audit (default ${DEFAULT_MARKET}),
ATOM_TOKEN (a token with the role data).
Exit codes: 0 done, 1 refused, 2 not understood, 3 no answer, or one that was cut off.
`
}

/** The process: Ctrl-C ends a command that waits, and a reader that went away ends it too. */
export async function main(): Promise<void> {
  const halt = new AbortController()
  process.once('SIGINT', () => halt.abort())
  process.stdout.on('error', () => halt.abort())
  const out = async (text: string) => {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal: halt.signal }).catch(() => {})
  }
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  process.exitCode = await run(process.argv.slice(2), process.env, { out, say, signal: halt.signal })
}
