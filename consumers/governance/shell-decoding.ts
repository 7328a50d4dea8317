import type { Command, Pipeline } from './shell.ts'
import { invocation } from './shell-commands.ts'

const MAX_TEXT = 200_000

/**
 * What a pipeline writes to its output when that is known without running it: a text printed, put in a here-document
 * or here-string, and decoded along the pipe (base64, base32, hex). Null when it depends on anything else. `decoded`
 * is true when a step of it undid an encoding.
 */
export function staticOutput(pipeline: Pipeline): { text: string; decoded: boolean } | null {
  let text: string | null = null
  let decoded = false
  for (const [index, command] of pipeline.entries()) {
    const own: string | null = ownInput(command)
    const before: string | null = own ?? text
    if (index === 0 || own !== null) text = printed(command) ?? own
    if (text === null && before === null) return null
    const decode = decoderOf(command)
    if (decode !== null) {
      if (before === null) return null
      text = decode(before.slice(0, MAX_TEXT))
      decoded = true
    } else if (index > 0 && own === null) {
      if (!passesOn(command)) return null
      text = before
    }
  }
  return text === null ? null : { text: text.slice(0, MAX_TEXT), decoded }
}

/** True for a command that undoes an encoding: `base64 -d`, `xxd -r`, `openssl enc -d`. */
export const isDecoder = (command: Command): boolean => decoderOf(command) !== null

function ownInput(command: Command): string | null {
  if (command.heredoc !== null) return command.heredoc
  return command.redirects.find(({ op }) => op === '<<<')?.target.text ?? null
}

function printed(command: Command): string | null {
  const { name, args } = invocation(command)
  if (name === 'cat' && args.length === 0) return command.heredoc
  if (name !== 'echo' && name !== 'printf') return null
  const words = args.map((word) => word.text).filter((text, index) => !(index === 0 && /^-[neE]+$/.test(text)))
  const escapes = name === 'printf' || args.some((word) => /^-[nE]*e/.test(word.text))
  const text = (
    name === 'printf' && words.length > 1 && /^%s(?:\\n)?$/.test(words[0] ?? '') ? words.slice(1) : words
  ).join(' ')
  if (text.includes('$')) return null
  return escapes ? unescaped(text) : text
}

const unescaped = (text: string): string =>
  text.replace(
    /\\(?:x([0-9a-fA-F]{1,2})|0?([0-7]{1,3})|([nt\\]))/g,
    (_all, hex?: string, octal?: string, other?: string) =>
      hex !== undefined
        ? String.fromCharCode(Number.parseInt(hex, 16))
        : octal !== undefined
          ? String.fromCharCode(Number.parseInt(octal, 8))
          : ({ n: '\n', t: '\t' }[other ?? ''] ?? '\\'),
  )

const passesOn = (command: Command): boolean => /^(?:cat|tee|head|tail)$/.test(invocation(command).name)

function decoderOf(command: Command): ((text: string) => string) | null {
  const { name, args } = invocation(command)
  const texts = args.map((word) => word.text)
  const undoes = texts.some((text) => /^(?:-[a-zA-Z]*[dD]|--decode)$/.test(text))
  if (name === 'base64' && undoes) return (text) => Buffer.from(text, 'base64').toString('utf8')
  if (name === 'openssl' && undoes && texts.some((text) => /base64/.test(text)))
    return (text) => Buffer.from(text, 'base64').toString('utf8')
  if (name === 'base32' && undoes) return base32
  if (name === 'xxd' && texts.some((text) => /^-[a-z]*r/.test(text)))
    return (text) => Buffer.from(text.replace(/[^0-9a-f]/gi, ''), 'hex').toString('utf8')
  if (name === 'rev')
    return (text) =>
      text
        .split('\n')
        .map((line) => [...line].reverse().join(''))
        .join('\n')
  return null
}

function base32(text: string): string {
  let bits = 0
  let value = 0
  const bytes: number[] = []
  for (const char of text.toUpperCase().replace(/[^A-Z2-7]/g, '')) {
    value = ((value << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char)) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((value >> bits) & 0xff)
    }
  }
  return Buffer.from(bytes).toString('utf8')
}
