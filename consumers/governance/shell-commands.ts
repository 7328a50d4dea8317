import type { Call } from './code/cursor.ts'
import { handedTexts } from './command-takers.ts'
import { codeWords } from './downloads.ts'
import type { CodeRun } from './flow/code-flow.ts'
import { type Command, type Pipeline, parseShell, type Script, type TextRange, type Word } from './shell.ts'
import { staticOutput } from './shell-decoding.ts'

export type Language = 'shell' | 'python' | 'node' | 'ruby' | 'perl' | 'php' | 'powershell' | 'other'

const INTERPRETERS: Record<string, Language> = {
  sh: 'shell',
  bash: 'shell',
  dash: 'shell',
  zsh: 'shell',
  ash: 'shell',
  ksh: 'shell',
  fish: 'shell',
  python: 'python',
  python2: 'python',
  python3: 'python',
  pypy3: 'python',
  'platform-python': 'python',
  ipython: 'python',
  node: 'node',
  nodejs: 'node',
  deno: 'node',
  bun: 'node',
  tsx: 'node',
  'ts-node': 'node',
  ruby: 'ruby',
  perl: 'perl',
  php: 'php',
  pwsh: 'powershell',
  powershell: 'powershell',
  'pwsh.exe': 'powershell',
  'powershell.exe': 'powershell',
}

// Programs that run another program: the options of theirs that take a value, and words to skip before the program.
const WRAPPERS: Record<string, { valued: string[]; skip: number }> = {
  sudo: { valued: ['-u', '-g', '-h', '-p', '-C'], skip: 0 },
  doas: { valued: ['-u'], skip: 0 },
  env: { valued: ['-u', '-C', '-S'], skip: 0 },
  nohup: { valued: [], skip: 0 },
  exec: { valued: ['-a'], skip: 0 },
  command: { valued: [], skip: 0 },
  builtin: { valued: [], skip: 0 },
  nice: { valued: ['-n'], skip: 0 },
  ionice: { valued: ['-c', '-n'], skip: 0 },
  timeout: { valued: ['-s', '-k'], skip: 1 },
  xargs: { valued: ['-I', '-n', '-P', '-L', '-d', '-s', '-a'], skip: 0 },
  stdbuf: { valued: ['-i', '-o', '-e'], skip: 0 },
  setsid: { valued: [], skip: 0 },
  busybox: { valued: [], skip: 0 },
  chroot: { valued: [], skip: 1 },
}

export type Invocation = { name: string; args: Word[] }

/** The language a program name runs, or null for a program that is no interpreter. */
export const languageOf = (program: string): Language | null =>
  INTERPRETERS[baseName(program).replace(/(?<=\d)\.\d+$/, '')] ?? null

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

// Every rule asks of every command, those that look along a pipeline many times.
const INVOCATIONS = new WeakMap<Command, Invocation>()

/** The program a command really runs, without `sudo`, `env`, `timeout` and the like in front. */
export function invocation(command: Command): Invocation {
  const known = INVOCATIONS.get(command)
  if (known !== undefined) return known
  const found = unwrapped(command)
  INVOCATIONS.set(command, found)
  return found
}

function unwrapped(command: Command): Invocation {
  let words = command.words
  for (let guard = 0; guard < 6; guard += 1) {
    const name = baseName(words[0]?.text ?? '')
    const wrapper = Object.hasOwn(WRAPPERS, name) ? WRAPPERS[name] : undefined
    if (wrapper === undefined) break
    let at = 1
    while (at < words.length) {
      const text = words[at]?.text ?? ''
      if (wrapper.valued.includes(text)) at += 2
      else if (text.startsWith('-') || /^[A-Za-z_]\w*=/.test(text)) at += 1
      else break
    }
    at += wrapper.skip
    if (at >= words.length) break
    words = words.slice(at)
  }
  return { name: baseName(words[0]?.text ?? ''), args: words.slice(1) }
}

/** Code in a value. `within` is the place of the command that runs it, or null when the code is the whole value. */
export type InlineCode = {
  language: Language
  text: string
  within: TextRange | null
  /** Its calls with aliases resolved, for languages that are read. */
  calls?: readonly Call[]
  /** What it runs that nobody saw: fetched or decoded. */
  runs?: readonly CodeRun[]
  /** True for a second text of the same code, in which aliases and joined texts are written out. */
  rewritten?: boolean
}

const codeFlag = (language: Language): RegExp => {
  if (language === 'shell') return /^-[a-z]*c$/
  if (language === 'php') return /^-r$/
  return /^(?:-[a-zA-Z]*[ceE]|--eval)$/
}

/** `-Command` takes the rest of the line, `-EncodedCommand` base64 of UTF-16. */
function powershellCode(words: readonly string[]): string | null {
  for (const [index, word] of words.entries()) {
    if (/^-c(?:o|om|omm|omma|omman|ommand)?$/i.test(word)) return words.slice(index + 1).join(' ')
    if (/^-e(?:c|n|nc|nco|ncod|ncode|ncoded|ncodedc\w{0,7})?$/i.test(word))
      return Buffer.from(words[index + 1] ?? '', 'base64').toString('utf16le')
  }
  return null
}

/** Code handed to an interpreter on its command line or as a heredoc: `bash -c`, `python3 -c`, `node -e`, `eval`. */
export function inlineCode(command: Command): InlineCode[] {
  const found: { language: Language; text: string }[] = []
  const { name, args } = invocation(command)
  const words = [name, ...args.map((word) => word.text)]
  words.forEach((word, index) => {
    const language = languageOf(word)
    if (language === null) return
    if (language === 'powershell') {
      const code = powershellCode(words.slice(index + 1))
      if (code !== null && code !== '') found.push({ language, text: code })
      return
    }
    // Options may stand before the one that brings code (`ruby -rsocket -e`); a first plain word is a file.
    for (let at = index + 1; at < words.length && at < index + 6 && words[at]?.startsWith('-'); at += 1) {
      const code = words[at + 1]
      if (!codeFlag(language).test(words[at] ?? '') || code === undefined) continue
      found.push({ language, text: code })
      break
    }
  })
  for (const text of handedTexts(name, args)) found.push({ language: 'shell', text })
  if (name === 'eval') found.push({ language: 'shell', text: args.map((word) => word.text).join(' ') })
  if (name === 'su' && args.some((word) => word.text === '-c')) {
    found.push({ language: 'shell', text: args[args.findIndex((word) => word.text === '-c') + 1]?.text ?? '' })
  }
  if (name === 'ssh' && args.length > 1)
    found.push({
      language: 'shell',
      text: args
        .slice(1)
        .map((w) => w.text)
        .join(' '),
    })
  const language = languageOf(name)
  if (command.heredoc !== null && language !== null) found.push({ language, text: command.heredoc })
  return found.map((code) => ({ ...code, within: command.range }))
}

/** Every pipeline of a script, with those in substitutions and in code given to a shell. */
export function allPipelines(script: Script, depth = 0): Pipeline[] {
  const found: Pipeline[] = []
  for (const pipeline of script) {
    found.push(pipeline)
    if (depth >= 4) continue
    const place = rangeOf(pipeline)
    for (const text of pipedScripts(pipeline)) found.push(...handedOver(text, depth, place))
    for (const command of pipeline) {
      for (const word of wordsOf(command)) {
        for (const inner of [...word.substitutions, ...word.processes]) {
          for (const one of inner.flat()) one.range ??= command.range
          found.push(...allPipelines(inner, depth + 1))
        }
      }
      for (const code of inlineCode(command)) {
        if (code.language === 'shell') found.push(...handedOver(code.text, depth, command.range))
      }
    }
  }
  return found
}

/** A text that another shell reads: its commands stand where it is handed over. */
export function handedOver(text: string, depth: number, place: TextRange | null): Pipeline[] {
  const pipelines = allPipelines(parseShell(text, depth + 1), depth + 1)
  for (const command of pipelines.flat()) command.range = place
  return pipelines
}

/** From the first to the last command of a pipeline, or null when one of them has no place. */
export function rangeOf(pipeline: Pipeline): TextRange | null {
  const ranges = pipeline.flatMap(({ range }) => range ?? [])
  if (ranges.length === 0 || ranges.length < pipeline.length) return null
  return { start: Math.min(...ranges.map(({ start }) => start)), end: Math.max(...ranges.map(({ end }) => end)) }
}

/** Text that a pipeline writes out itself and feeds to a shell: `cat <<EOF | sh`, `echo '...' | base64 -d | bash`. */
function pipedScripts(pipeline: Pipeline): string[] {
  const shell = pipeline.findIndex((command, index) => index > 0 && languageOf(invocation(command).name) === 'shell')
  const piped = shell === -1 ? null : staticOutput(pipeline.slice(0, shell))
  return [
    ...(piped === null ? [] : [piped.text]),
    ...pipeline.flatMap((command) => codeWords(command).flatMap(writtenIn)),
    ...pipeline.flatMap((command) =>
      languageOf(invocation(command).name) === 'shell'
        ? command.redirects
            .filter(({ op }) => op === '<<<')
            .flatMap(({ target }) => [target.text, ...writtenIn(target)])
        : [],
    ),
  ]
}

/** What the substitutions in a word write when that is known: `eval "$(echo ... | base64 -d)"`. */
const writtenIn = ({ substitutions, processes }: Word): string[] =>
  [...substitutions, ...processes].flat().flatMap((inner) => staticOutput(inner)?.text ?? [])

/** All words a command is made of: assignments, arguments, redirect targets. */
export const wordsOf = (command: Command): Word[] => [
  ...command.assignments,
  ...command.words,
  ...command.redirects.map((redirect) => redirect.target),
]

/** A command as one line of text, for messages and fingerprints. */
export const commandText = (command: Command): string =>
  [
    ...command.assignments.map((word) => word.text),
    ...command.words.map((word) => word.text),
    ...command.redirects.map(({ op, target }) => `${op}${target.text}`),
  ].join(' ')

export const pipelineText = (pipeline: Pipeline): string => pipeline.map(commandText).join(' | ')
