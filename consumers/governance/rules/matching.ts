import type { Confidence, Severity } from '../../../schemas/verdict.ts'
import type { Fact } from '../facts.ts'
import { excerpt } from '../masking.ts'
import type { PackageView } from '../package-view.ts'
import { placeIn } from '../place.ts'
import type { Command, Pipeline, TextRange } from '../shell.ts'
import { commandText, invocation, type Language, pipelineText } from '../shell-commands.ts'
import { type Finding, MAX_FINDINGS } from './rule.ts'

/** What a rule sees in a command, a field or a piece of code: in words, how grave and how sure. */
export type Sign = { what: string; severity: Severity; confidence: Confidence }
/** A command as rules look at it: its program, its arguments as texts and as one line, and where it stands. */
export type Call = {
  name: string
  args: string[]
  line: string
  command: Command
  pipeline: Pipeline
  index: number
  fact: Fact
}

export const sign = (what: string, severity: Severity, confidence: Confidence): Sign => ({ what, severity, confidence })

/** A finding at a fact; `text` is what was matched, `range` where in the text of the fact (null when it does not show it). */
export const findingAt = (
  fact: Fact,
  { what, severity, confidence }: Sign,
  text: string,
  range?: TextRange | null,
): Finding => ({
  ...(range === undefined ? { pointer: fact.pointer } : placeIn(fact, range)),
  severity,
  confidence,
  message: `${what}: ${excerpt(text)}`,
  matched: text,
})

/** Every command of a package that `judge` has something to say of. Commands of alerts and triggers run nothing. */
export function inCommands(view: PackageView, judge: (call: Call) => Sign | null): Finding[] {
  const found: Finding[] = []
  for (const fact of view.facts) {
    for (const pipeline of fact.pipelines) {
      for (const [index, command] of pipeline.entries()) {
        const { name, args } = invocation(command)
        const texts = args.map((word) => word.text)
        const seen = judge({ name, args: texts, line: [name, ...texts].join(' '), command, pipeline, index, fact })
        if (seen === null) continue
        const text = /\n/.test(commandText(command)) ? `${name} ${texts.join(' ')}` : pipelineText(pipeline)
        found.push(findingAt(fact, seen, text, command.range))
        if (found.length > 4 * MAX_FINDINGS) return found
      }
    }
  }
  return found
}

// A longer command is reported as too large to be read (WPK-P6-001); the cap bounds what any pattern can cost.
const MOST_CODE = 100_000

export type CodePattern = { pattern: RegExp; sign: Sign; languages?: readonly Language[] }

/** Code in other languages than shell in which a pattern is found. The matched text, not the whole code, is the fact. */
export function inCode(view: PackageView, patterns: readonly CodePattern[]): Finding[] {
  const found: Finding[] = []
  for (const fact of view.facts) {
    // The second text of the same code counts for what the first did not show.
    const shown = new Set<CodePattern['pattern']>()
    for (const { language, text, within, rewritten } of fact.code) {
      for (const { pattern, sign: seen, languages } of patterns) {
        if (languages !== undefined && !languages.includes(language)) continue
        const match = pattern.exec(text.slice(0, MOST_CODE))
        if (match === null || (rewritten === true && shown.has(pattern))) continue
        shown.add(pattern)
        const range = within ?? { start: match.index, end: match.index + match[0].length }
        found.push(findingAt(fact, seen, match[0], range))
      }
    }
  }
  return found
}

/** Values that are no commands: fields of manifests and configurations, environment, addresses, images. */
export function inFields(view: PackageView, judge: (fact: Fact) => Sign | null): Finding[] {
  const found: Finding[] = []
  for (const fact of view.facts) {
    if (fact.kind === 'command' || fact.area === 'alert') continue
    const seen = judge(fact)
    if (seen === null) continue
    found.push(findingAt(fact, seen, `${fact.name}: ${fact.text}`, { start: 0, end: fact.text.length }))
    if (found.length > 4 * MAX_FINDINGS) return found
  }
  return found
}

export const isOn = (text: string): boolean => /^(?:true|yes|on|1)$/i.test(text)
export const isOff = (text: string): boolean => /^(?:false|no|off|0)$/i.test(text)
