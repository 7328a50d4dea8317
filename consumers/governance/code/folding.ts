import { codePoint } from './tokens.ts'
import type { Value } from './values.ts'

const MOST_TEXT = 50_000
type Fold = (args: readonly (string | null)[], receiver: string | null) => string | null

const isPrintable = (text: string): boolean => (text.match(/[^\x20-\x7e\s]/g)?.length ?? 0) <= text.length / 10
const decoded = (text: string | null | undefined, encoding: BufferEncoding): string | null => {
  if (text == null) return null
  const found = Buffer.from(text, encoding).toString('utf8')
  return isPrintable(found) ? found : null
}
const codes = (args: readonly (string | null)[]): string | null =>
  args.length > 0 && args.every((one) => one !== null && /^(?:0x[0-9a-f]+|\d+)$/i.test(one))
    ? args.map((one) => codePoint(Number(one))).join('')
    : null
const rot13 = (text: string): string =>
  text.replace(/[a-z]/gi, (char) => {
    const base = char <= 'Z' ? 65 : 97
    return String.fromCharCode(((char.charCodeAt(0) - base + 13) % 26) + base)
  })
const same: Fold = (_args, receiver) => receiver

// Functions whose answer is known when what they are given is. Keyed by the last part of the name.
const FOLDS: Record<string, Fold> = {
  chr: codes,
  fromCharCode: codes,
  fromCodePoint: codes,
  b64decode: ([text]) => decoded(text, 'base64'),
  urlsafe_b64decode: ([text]) => decoded(text, 'base64'),
  standard_b64decode: ([text]) => decoded(text, 'base64'),
  atob: ([text]) => decoded(text, 'base64'),
  frombase64string: ([text]) => decoded(text, 'base64'),
  fromhex: ([text]) => decoded(text?.replace(/\s/g, ''), 'hex'),
  unhexlify: ([text]) => decoded(text, 'hex'),
  from: ([text, encoding]) => (encoding === 'base64' || encoding === 'hex' ? decoded(text, encoding) : (text ?? null)),
  decode: ([text, encoding], receiver) =>
    text != null && encoding !== undefined && encoding !== null && /^rot_?13$/.test(encoding) ? rot13(text) : receiver,
  unquote: ([text]) => percent(text),
  decodeURIComponent: ([text]) => percent(text),
  unescape: ([text]) => percent(text),
  toString: same,
  getstring: ([text]) => text ?? null,
  encode: same,
  strip: same,
  trim: same,
  str: ([text]) => text ?? null,
  bytes: ([text]) => text ?? null,
  String: ([text]) => text ?? null,
  format: (args, receiver) => (args.length === 0 ? receiver : null),
  lower: (_args, receiver) => receiver?.toLowerCase() ?? null,
  toLowerCase: (_args, receiver) => receiver?.toLowerCase() ?? null,
  upper: (_args, receiver) => receiver?.toUpperCase() ?? null,
  replace: ([from, to], receiver) => (receiver !== null && from && to != null ? receiver.replaceAll(from, to) : null),
  concat: (args, receiver) =>
    receiver !== null && args.every((one) => one !== null) ? receiver + args.join('') : null,
  home: () => '~',
  homedir: () => '~',
  expanduser: ([text]) => text ?? null,
  expandvars: ([text]) => text ?? null,
  resolve: (args) => (args.every((one) => one !== null) ? args.join('/') : null),
  Path: (args) => (args.length > 0 && args.every((one) => one !== null) ? args.join('/') : null),
}

const percent = (text: string | null | undefined): string | null => {
  if (text == null) return null
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** The text that a call answers when that is known without running it, or null. */
export function folded(name: string, args: readonly Value[], receiver: Value | null): string | null {
  const last = name.slice(name.lastIndexOf('.') + 1)
  if (last === 'join') return joined(name, args, receiver)
  if (last === 'reverse' && receiver !== null && receiver.items.length > 0) return null
  const fold = Object.hasOwn(FOLDS, last) ? FOLDS[last] : undefined
  const found = fold?.(
    args.map(({ text }) => text),
    receiver?.text ?? null,
  )
  return found == null ? null : found.slice(0, MOST_TEXT)
}

/** `''.join([...])`, `[...].join('')` and the parts of a path. */
function joined(name: string, args: readonly Value[], receiver: Value | null): string | null {
  const [first] = args
  const list = receiver !== null && receiver.items.length > 0 ? receiver.items : (first?.items ?? [])
  if (/^(?:os\.)?path\.join$/.test(name)) {
    const parts = args.map(({ text }) => text)
    return parts.includes(null) ? parts.filter((part) => part !== null).join('/') || null : parts.join('/')
  }
  const between = receiver !== null && receiver.items.length > 0 ? (first?.text ?? ',') : receiver?.text
  if (between == null || list.length === 0 || list.some(({ text }) => text === null)) return null
  return list.map(({ text }) => text).join(between)
}

const DECODERS =
  /(?:^|\.)(?:b(?:64|32|85)decode|urlsafe_b64decode|standard_b64decode|a85decode|decode64|urlsafe_decode64|strict_decode64|atob|fromhex|unhexlify|a2b_\w{1,8}|decompress\w{0,8}|inflate\w{0,8}|gunzip\w{0,8}|fromCharCode|fromCodePoint|frombase64string|marshal\.loads|decrypt|rot13|unescape|decodeURIComponent)$/i

/** True for a call that undoes an encoding; `Buffer.from` and `codecs.decode` do when they name one. */
export const isDecoding = (name: string, args: readonly Value[]): boolean =>
  DECODERS.test(name) ||
  (/(?:^|\.)(?:Buffer\.from|codecs\.decode|encode)$/.test(name) &&
    args.slice(1).some(({ text }) => text !== null && /^(?:base64(?:url)?|hex|rot_?13|zlib|bz2)$/.test(text)))
