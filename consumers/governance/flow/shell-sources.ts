import type { Place } from '../place.ts'
import { SENSITIVE_PATH, secretVariable } from '../sensitive-sources.ts'
import type { Command, Word } from '../shell.ts'
import { invocation } from '../shell-commands.ts'
import { inFile, inText, type Taint, type Trace } from './taint.ts'

const READS_STORE: [RegExp, RegExp][] = [
  [/^(?:kubectl|oc)$/, /\bget\s+secrets?\b/],
  [/^vault$/, /\b(?:kv\s+get|read)\b/],
  [/^aws$/, /\b(?:get-secret-value|get-parameters?|get-session-token)\b/],
  [/^gcloud$/, /\b(?:secrets\s+versions\s+access|auth\s+print-(?:access|identity)-token)\b/],
  [/^az$/, /\bkeyvault\s+secret\s+show\b/],
  [/^gh$/, /\bauth\s+token\b/],
  [/^gpg2?$/, /--export-secret-(?:sub)?keys\b/],
  [/^(?:mysqldump|pg_dump|pg_dumpall|mongodump)$/, /^/],
]
// Programs that take a key or an account file as their own setting, or that only name it.
const USES_ITS_OWN =
  /^(?:ssh-keyscan|chmod|chown|ls|mkdir|test|\[|\[\[|rm|grep|ssh-add|git|docker|helm|ansible|ansible-playbook|kubectl|ssh|scp|openssl)$/

/** What secret a command brings to its output, or null. `here` is where the command stands. */
export function sourceOf(command: Command, taint: Taint, here: Place): Trace | null {
  const read = (what: string): Trace => ({ what, from: here, via: [] })
  const { name, args } = invocation(command)
  const line = args.map((word) => word.text).join(' ')
  if ((name === 'env' || name === 'printenv' || name === 'set') && args.length === 0) return read('the environment')
  if (/^(?:export|declare|typeset)$/.test(name) && args.length > 0 && args.every((word) => /^-[px]+$/.test(word.text)))
    return read('the environment')
  if (READS_STORE.some(([program, pattern]) => program.test(name) && pattern.test(line)))
    return read(`the output of ${name}`)
  if (/^(?:echo|printf)$/.test(name) && args.some((word) => secretVariable(word.text) !== null))
    return read('a secret variable')
  // `openssl base64 -in key` prints what it is given; its other commands use a key as theirs.
  const encodes = name === 'openssl' && /^(?:base64|enc)\b/.test(line)
  if (USES_ITS_OWN.test(name) && !encodes) return null
  for (const { text } of [...args, ...inputsOf(command)]) {
    const found = sourceInText(text, taint, here)
    if (found !== null) return found
  }
  // `while read -r line; do ...; done < <(cat secret)`, `cat <(cat secret)`.
  return firstIn(
    [...args, ...inputsOf(command)].filter(({ processes }) => processes.length > 0),
    (word) => sourceInWord(word, taint, here),
  )
}

// A directory of secrets, by its name: to read it is nothing, to send it away is.
const SECRET_DIRECTORY = /(?:^|\/)(?:secrets?(?:\.d)?|credentials|private)\/?$/

const inputsOf = (command: Command): Word[] =>
  command.redirects.filter(({ op }) => op === '<' || op === '<<<').map(({ target }) => target)

function sourceInText(text: string, taint: Taint, here: Place): Trace | null {
  if (/169\.254\.169\.254|metadata\.google/.test(text)) return { what: 'the instance metadata', from: here, via: [] }
  if ((SENSITIVE_PATH.test(text) || SECRET_DIRECTORY.test(text)) && !/^https?:/.test(text))
    return { what: `the file ${text.slice(0, 80)}`, from: here, via: [] }
  return inFile(taint, text.replace(/^if=/, '')) ?? inText(taint, text)
}

/** The source in any command inside a word's substitutions, or null. */
export function sourceInWord(word: Word, taint: Taint, here: Place): Trace | null {
  for (const script of [...word.substitutions, ...word.processes]) {
    for (const command of script.flat()) {
      const source =
        sourceOf(command, taint, here) ?? firstIn(command.words, (inner) => sourceInWord(inner, taint, here))
      if (source !== null) return source
      // `$(< file)`: nothing but a redirection.
      const read =
        command.words.length === 0 ? firstIn(inputsOf(command), ({ text }) => sourceInText(text, taint, here)) : null
      if (read !== null) return read
    }
  }
  return null
}

/** What the files and texts that are sent hold: a path as an upload names it (`@file`, `name=@file`, `-T`), or a variable. */
export function sourceInSent(words: readonly Word[], taint: Taint, here: Place): Trace | null {
  return firstIn(words, (word) => {
    const inside = sourceInWord(word, taint, here)
    if (inside !== null) return inside
    const path = word.text
      .replace(/^.*?[@<]/, '')
      .replace(/^-[dFT]/, '')
      .replace(/;.*$/, '')
    if (SENSITIVE_PATH.test(word.text) && !/^https?:/.test(word.text))
      return { what: `the file ${path.slice(0, 80)}`, from: here, via: [] }
    return inFile(taint, path) ?? inFile(taint, word.text) ?? inText(taint, word.text)
  })
}

function firstIn<T>(items: readonly T[], look: (item: T) => Trace | null): Trace | null {
  for (const item of items) {
    const found = look(item)
    if (found !== null) return found
  }
  return null
}
