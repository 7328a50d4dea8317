import type { Fact } from '../facts.ts'
import { type Place, placeIn } from '../place.ts'
import type { Command, Pipeline } from '../shell.ts'
import { baseName, invocation, wordsOf } from '../shell-commands.ts'
import { sourceInWord, sourceOf } from './shell-sources.ts'
import { COMMITTED, inFile, inText, keepFile, passedOn, type Taint, type Trace } from './taint.ts'

const HAND_ON = /\bGITHUB_(?:ENV|OUTPUT)\b/
// What a program makes of its input, in a file whose name it forms itself.
const PACKED: Record<string, string> = { gzip: '.gz', bzip2: '.bz2', xz: '.xz', zstd: '.zst', gpg: '.gpg', age: '.age' }

/** Notes where a pipeline puts what it read: files, archives, copies, variables and what it hands to later handlers. */
export function spread(fact: Fact, pipeline: Pipeline, taint: Taint): void {
  const placed = (command: Command): Place => placeIn(fact, command.range)
  for (const command of pipeline) {
    keepAssigned(command, taint, placed(command))
    keepWritten(command, taint, placed(command))
  }
  let flowing: Trace | null = null
  for (const command of pipeline) {
    const here = placed(command)
    flowing ??= sourceOf(command, taint, here)
    if (flowing === null) continue
    flowing = passedOn(flowing, here)
    keepOutput(command, taint, flowing)
  }
}

function keepAssigned(command: Command, taint: Taint, here: Place): void {
  for (const word of wordsOf(command)) {
    const [, name, value = ''] = /^([A-Za-z_]\w*)\+?=(.*)$/s.exec(word.text) ?? []
    if (name === undefined) continue
    const trace = sourceInWord(word, taint, here) ?? inText(taint, value)
    if (trace !== null) taint.variables.set(name, passedOn(trace, here))
  }
  const { words } = command
  if (words[0]?.text !== 'for' || words[1] === undefined) return
  // `for line in $(cat secret)`: the loop's variable holds it, piece by piece.
  for (const word of words) {
    const trace = sourceInWord(word, taint, here)
    if (trace !== null) taint.variables.set(words[1].text, passedOn(trace, here))
  }
}

/** Files that a command writes itself, whatever its output is. */
function keepWritten(command: Command, taint: Taint, here: Place): void {
  const { name, args } = invocation(command)
  const texts = args.map((word) => word.text)
  const files = texts.filter((text) => !text.startsWith('-'))
  const held = (path: string | undefined): Trace | null => (path === undefined ? null : inFile(taint, path))
  const keep = (path: string | undefined, trace: Trace | null): void => {
    if (path !== undefined && trace !== null) keepFile(taint, path, passedOn(trace, here))
  }
  const suffix = Object.hasOwn(PACKED, name) ? PACKED[name] : undefined
  if (suffix !== undefined) for (const file of files) keep(`${file}${suffix}`, held(file))
  const wordAfter = (flag: RegExp): string | undefined => texts[texts.findIndex((text) => flag.test(text)) + 1]
  if (/^(?:openssl|gpg|age|zstd|7z)$/.test(name)) {
    const into = texts.some((text) => /^(?:-out|-o|--output)$/.test(text))
      ? wordAfter(/^(?:-out|-o|--output)$/)
      : undefined
    const from = files.map(held).find((trace) => trace !== null) ?? null
    keep(into, from)
  }
  if (name === 'ln' || name === 'rename') keep(files.at(-1), held(files[0]))
  if (name === 'git' && texts.some((text) => text === 'add' || text === 'stash'))
    keep(COMMITTED, committed(texts, taint))
  if (name === 'split' && files.length > 1) keep(files[1], held(files[0]))
}

/** Secret content that lies in the working directory, or in what is named, when it is added to what is committed. */
function committed(texts: readonly string[], taint: Taint): Trace | null {
  const named = texts.slice(texts.indexOf('add') + 1).filter((text) => !text.startsWith('-') && !/^\.\/?$/.test(text))
  for (const path of named) {
    const trace = inFile(taint, path)
    if (trace !== null) return trace
  }
  if (named.length > 0) return null
  for (const [path, trace] of taint.files) if (!/^[/~$]/.test(path) && path !== COMMITTED) return trace
  return null
}

/** Where the output of a command goes that carries secret content. */
function keepOutput(command: Command, taint: Taint, trace: Trace): void {
  const { name, args } = invocation(command)
  const texts = args.map((word) => word.text)
  const files = texts.filter((text) => !text.startsWith('-'))
  for (const { op, target } of command.redirects) {
    if (!/^1?&?>/.test(op)) continue
    if (HAND_ON.test(target.text)) keepHandedOn(texts, taint, trace)
    else keepFile(taint, target.text, trace)
  }
  for (const text of texts) {
    const [, output] = /^::set-output name=([\w-]{1,80})::/.exec(text) ?? []
    if (output !== undefined) taint.variables.set(output, trace)
  }
  if (name === 'tar')
    for (const text of files) if (/\.(?:tar|tgz|gz|xz|bz2|zst|zip)$/.test(text)) keepFile(taint, text, trace)
  if (name === 'zip' || name === '7z') keepFile(taint, files.find((text) => text !== 'a') ?? '', trace)
  if (name === 'tee') for (const text of files) keepFile(taint, text, trace)
  if (name === 'dd') keepFile(taint, texts.find((text) => text.startsWith('of='))?.slice(3) ?? '', trace)
  if (/^(?:cp|mv|install|rsync)$/.test(name)) keepCopy(files, taint, trace)
  if (/^(?:read|mapfile|readarray)$/.test(name)) for (const text of files) taint.variables.set(text, trace)
}

function keepCopy(files: readonly string[], taint: Taint, trace: Trace): void {
  const into = files.at(-1) ?? ''
  if (!into.includes(':')) keepFile(taint, into, trace)
  // Into a directory that is not tracked by itself: the copy keeps its name there.
  for (const file of files.slice(0, -1)) {
    const name = baseName(file.replace(/\/+$/, ''))
    if (name !== '')
      keepFile(taint, into === '.' || into === './' ? name : `${into.replace(/\/+$/, '')}/${name}`, trace)
  }
}

function keepHandedOn(texts: readonly string[], taint: Taint, trace: Trace): void {
  for (const text of texts) {
    const [, name] = /^([A-Za-z_][\w-]{0,80})(?:=|<<)/.exec(text) ?? []
    if (name !== undefined) taint.variables.set(name, trace)
  }
}
