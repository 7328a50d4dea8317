import type { Command, Pipeline, Script, Word } from './shell.ts'
import { baseName, invocation, languageOf } from './shell-commands.ts'

const DOWNLOADERS = new Set([
  'curl',
  'wget',
  'fetch',
  'aria2c',
  'axel',
  'lwp-download',
  'lwp-request',
  'GET',
  'http',
  'https',
  'xh',
])

/** True for a command that fetches something from an address. */
export const isDownload = (command: Command): boolean => DOWNLOADERS.has(invocation(command).name)

/** True when a script prints what it fetches, by itself or by `printf "$(curl ...)"`. */
export const hasDownload = (script: Script): boolean =>
  script.some((pipeline) =>
    pipeline.some(
      (command) =>
        isDownload(command) ||
        (/^(?:echo|printf|cat)$/.test(invocation(command).name) &&
          command.words.some(({ substitutions }) => substitutions.some(hasDownload))),
    ),
  )

/** True when a command runs what it reads from standard input: `sh`, `bash -s`, `python3 -`. */
export function runsStandardInput(command: Command): boolean {
  const { name, args } = invocation(command)
  if (languageOf(name) === null) return name === 'source' || name === '.'
  const texts = args.map((word) => word.text)
  const flagged = texts.findIndex(
    (text) => /^-[a-zA-Z]*[ceEmnp]/.test(text) && !/^-(?:e|x|ex|xe|euo|eu|eux|euxo)$/.test(text),
  )
  if (flagged !== -1) return languageOf(texts[flagged + 1] ?? '') === 'shell'
  if (texts.some((text) => text === '-s' || text === '-' || text === '/dev/stdin')) return true
  return texts.every((text) => text.startsWith('-') || text.startsWith('+') || text === 'pipefail')
}

/** The words whose text a command runs as code: after `-c`, of `eval`, a process substitution, the command itself. */
export function codeWords(command: Command): Word[] {
  const { name, args } = invocation(command)
  const first = command.words[0]
  if (name === 'eval') return args
  if (first?.text.startsWith('$()')) return [first]
  if (name === 'source' || name === '.') return args.slice(0, 1)
  if (languageOf(name) === null) return []
  const flag = args.findIndex((word) => /^-[a-zA-Z]*[ceE]$/.test(word.text))
  if (flag !== -1) return args.slice(flag + 1, flag + 2)
  return args
    .filter((word) => !word.text.startsWith('-'))
    .slice(0, 1)
    .filter((word) => word.processes.length > 0)
}

/** The file a download is written to, by base name, or null when it goes to standard output. */
export function downloadedFile(command: Command): string | null {
  const { name, args } = invocation(command)
  if (!DOWNLOADERS.has(name)) return null
  const redirect = command.redirects.find(({ op }) => /^1?>{1,2}$/.test(op))
  if (redirect !== undefined) return baseName(redirect.target.text)
  const texts = args.map((word) => word.text)
  const url = texts.find((text) => /:\/\//.test(text)) ?? texts.at(-1) ?? ''
  for (const [index, text] of texts.entries()) {
    const long = /^--output(?:-document)?=(.+)$/.exec(text)
    if (long?.[1] !== undefined) return baseName(long[1])
    const takesName = name === 'wget' ? /^(?:-[a-zA-Z]*O|--output-document)$/ : /^(?:-[a-zA-Z]*o|--output)$/
    if (takesName.test(text)) return texts[index + 1] === '-' ? null : baseName(texts[index + 1] ?? '')
    if (name === 'curl' && /^(?:-[a-zA-Z]*O[a-zA-Z]*|--remote-name)$/.test(text)) return urlFile(url)
  }
  return name === 'wget' ? urlFile(url) : null
}

const urlFile = (url: string): string => baseName(url.replace(/[?#].*$/, ''))

/** How a later command uses a file of that base name: it runs it, makes it executable, or neither. */
export function fileUse(command: Command, file: string): 'run' | 'mark' | null {
  const { name, args } = invocation(command)
  const program = invocation(command).name
  const path = command.words.find((word) => baseName(word.text) === program)?.text ?? ''
  if (program === file && path.includes('/')) return 'run'
  if (name === 'chmod' && args.some((word) => baseName(word.text) === file)) {
    return args.some((word) => /^[ugoa]*\+[rwst]*x|^0?[1357][0-7]{2}$|^[0-7]?[0-7]?[1357]$/.test(word.text))
      ? 'mark'
      : null
  }
  const runsFile = languageOf(name) !== null || name === 'source' || name === '.'
  if (!runsFile) return null
  const target = args.find((word) => !word.text.startsWith('-'))
  return target !== undefined && baseName(target.text) === file ? 'run' : null
}

/** True when a pipeline compares a checksum or checks a signature. */
export const verifiesDownload = (pipeline: Pipeline): boolean =>
  pipeline.some((command) => {
    const { name, args } = invocation(command)
    const texts = args.map((word) => word.text)
    if (/^(?:sha\d{1,3}sum|shasum|b2sum|md5sum)$/.test(name))
      return texts.some((text) => /^-[a-z]*c$|^--check$/.test(text))
    if (name === 'gpg' || name === 'gpgv') return name === 'gpgv' || texts.includes('--verify')
    return (
      (name === 'cosign' || name === 'minisign' || name === 'slsa-verifier') &&
      texts.some((text) => /verify|^-V/.test(text))
    )
  })
