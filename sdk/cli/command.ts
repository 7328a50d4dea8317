import type { ParseArgsConfig } from 'node:util'
import type { DataApi } from './data-api.ts'

/** Where a command reads and writes: data goes to `out`, talk to `say`. */
export type Context = {
  api: DataApi
  /** The marketplace. */
  market: DataApi
  /** True when `--json` was given. */
  json: boolean
  out(text: string): Promise<void>
  say(line: string): void
  /** Resolves after so long, or at once when the command is interrupted. */
  pause(ms: number): Promise<void>
  interrupted(): boolean
}
export type Values = Record<string, string | boolean | string[] | undefined>
export type Command = {
  name: string
  /** After the name, as people type it. */
  usage: string
  summary: string
  options: NonNullable<ParseArgsConfig['options']>
  positionals?: number
  /** Returns the exit code. */
  run(context: Context, values: Values, positionals: readonly string[]): Promise<number>
}

/** 0 done, 1 refused or failed, 2 not understood, 3 no answer or half of one. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const

/** What was typed cannot be meant. */
export class UsageError extends Error {}

export const text = (values: Values, name: string): string | undefined => {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

export function needed(values: Values, name: string): string {
  const value = text(values, name)
  if (value === undefined) throw new UsageError(`--${name} is missing`)
  return value
}

/** Columns for people: each as wide as its widest cell. */
export function table(heads: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [
    heads,
    ...rows.map((row) => row.map((cell) => (cell === null || cell === undefined ? '-' : String(cell)))),
  ]
  const widths = heads.map((_, at) => Math.max(...cells.map((row) => (row[at] ?? '').length)))
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** The answer as one line of JSON with `--json`, else as people read it. */
export const show = (context: Context, answer: unknown, forPeople: () => string): Promise<void> =>
  context.out(context.json ? `${JSON.stringify(answer)}\n` : forPeople())
