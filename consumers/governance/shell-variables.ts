import { isSecretName } from './secret-names.ts'
import type { Command, Script, Word } from './shell.ts'

// Longer values are data, and a text that doubles itself ends at the budget.
const LONGEST_VALUE = 500
const BUDGET = 50_000
const REFERENCE = /\$(?:\{([A-Za-z_]\w{0,60})\}|([A-Za-z_]\w{0,60}))/g
const SETS = /^(?:export|declare|typeset|local|readonly)$/
const UNSETS = /^(?:read|mapfile|readarray|unset|getopts)$/

/**
 * Writes out variables whose text the script itself gives, in the order in which it stands: `run=sh; curl x | $run` is
 * `curl x | sh`. What comes from a command, from outside or under the name of a secret stays a variable; a branch counts
 * as taken.
 */
export function withVariables(script: Script): Script {
  if (script.some((pipeline) => pipeline.some(assigns))) resolve(script, { known: new Map(), left: BUDGET })
  return script
}

type Scope = { known: Map<string, string>; left: number }

const assigns = ({ assignments, words }: Command): boolean => assignments.length > 0 || SETS.test(words[0]?.text ?? '')

function resolve(script: Script, scope: Scope): void {
  for (const pipeline of script)
    for (const command of pipeline) {
      for (const word of [...command.assignments, ...command.words, ...command.redirects.map(({ target }) => target)])
        for (const inner of [...word.substitutions, ...word.processes])
          resolve(inner, { known: new Map(scope.known), left: Math.min(scope.left, LONGEST_VALUE) })
      command.words = command.words.flatMap((word, index) => split(word, index, scope))
      for (const redirect of command.redirects)
        redirect.target = { ...redirect.target, text: expanded(redirect.target, scope) }
      for (const word of command.assignments) word.text = expanded(word, scope)
      keep(command, scope)
    }
}

/** A variable that stands alone and unquoted is as many words as its text has. */
function split(word: Word, index: number, scope: Scope): Word[] {
  const text = expanded(word, scope)
  if (text === word.text) return [word]
  const alone = /^\$\{?\w+\}?$/.test(word.text) && !word.quoted
  if (!alone || (index > 0 && !/\s/.test(text))) return [{ ...word, text }]
  return text
    .split(/\s+/)
    .filter((part) => part !== '')
    .map((part) => ({ ...word, text: part }))
}

function expanded({ text }: Word, scope: Scope): string {
  if (scope.left <= 0 || scope.known.size === 0 || !text.includes('$')) return text
  const written = text.replace(REFERENCE, (found, braced?: string, plain?: string) => {
    const value = scope.known.get(braced ?? plain ?? '')
    if (value === undefined || scope.left < value.length) return found
    scope.left -= value.length
    return value
  })
  return written
}

function keep({ assignments, words }: Command, { known }: Scope): void {
  const name = words[0]?.text ?? ''
  // `X=1 make` sets it for `make` only.
  const set = words.length === 0 ? assignments : SETS.test(name) ? words.slice(1) : []
  for (const word of set) {
    const [, variable, add, value = ''] = /^([A-Za-z_]\w{0,60})(\+?)=(.*)$/s.exec(word.text) ?? []
    if (variable === undefined) continue
    const made = word.substitutions.length > 0 || word.processes.length > 0 || value.startsWith('(')
    const text = add === '+' ? `${known.get(variable) ?? `$${variable}`}${value}` : value
    if (made || isSecretName(variable) || text.length > LONGEST_VALUE) known.delete(variable)
    else known.set(variable, text)
  }
  if (UNSETS.test(name) || name === 'for') for (const word of words.slice(1)) known.delete(word.text)
}
