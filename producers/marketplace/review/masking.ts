import { pointerStep } from '../../../platform/document-problem.ts'

const SECRET_NAME =
  /pass(?:word|wd|phrase)?$|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credential|authorization/i
/** Names that end like a secret and only say where one is, or how long it lives. */
const NO_SECRET = /(?:_ref|ref|_name|name|_path|path|_file|file|_id|_ttl|expiry|_url)$/i
/** A reference: the value is elsewhere. */
const REFERENCE = /^\s*(?:\$\{\{[^}]*\}\}|\$\{?\w+\}?|\{\{[^}]*\}\}|vault:\S+)\s*$/
const MOST_CHARACTERS = 2_000

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Places of a document whose text is shown by its first characters only. */
export function secretPlaces(document: unknown): Set<string> {
  const places = new Set<string>()
  function walk(value: unknown, at: string, secret: boolean): void {
    if (typeof value === 'string') {
      if (secret) places.add(at)
      return
    }
    if (Array.isArray(value)) {
      for (const [index, one] of value.entries()) walk(one, at + pointerStep(index), secret)
      return
    }
    if (!isObject(value)) return
    const named = typeof value.name === 'string' && saysSecret(value.name)
    const isSecret = value.kind === 'Secret'
    for (const [key, one] of Object.entries(value))
      walk(
        one,
        at + pointerStep(key),
        secret || saysSecret(key) || (named && key === 'value') || (isSecret && /^(?:data|stringData)$/.test(key)),
      )
  }
  walk(document, '', false)
  return places
}

const saysSecret = (name: string): boolean => SECRET_NAME.test(name) && !NO_SECRET.test(name)

/**
 * A value as reviewers may see it: secrets by their first characters. `places` are those of `secretPlaces`; below
 * `strict` (where the analyzer found a secret) every word that could be one is masked.
 */
export function maskedValue(
  value: unknown,
  at: string,
  places: ReadonlySet<string>,
  strict: readonly string[],
): unknown {
  if (typeof value === 'string') {
    if (places.has(at) && !REFERENCE.test(value)) return maskedWord(value)
    const text = maskedText(
      value.slice(0, MOST_CHARACTERS),
      strict.some((one) => isWithin(at, one)),
    )
    return value.length > MOST_CHARACTERS ? `${text}… (${value.length} characters)` : text
  }
  if (Array.isArray(value)) return value.map((one, index) => maskedValue(one, at + pointerStep(index), places, strict))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, maskedValue(one, at + pointerStep(key), places, strict)]),
  )
}

const isWithin = (at: string, place: string): boolean => at === place || at.startsWith(`${place}/`)

const maskedWord = (word: string): string =>
  `${word.slice(0, Math.min(4, word.length >> 2))}*** (${word.length} characters)`

function maskedText(text: string, strict: boolean): string {
  const shown = text
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '*** (private key)')
    .replace(/(:\/\/[^/\s:@]{0,256}):[^/\s@]{1,256}@/g, '$1:***@')
    .replace(/\b(bearer|basic)\s+(?!\$)[^\s"']{8,}/gi, '$1 ***')
    .replace(
      /((?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key)["']?\s{0,3}[:=]\s{0,3}["']?)(?![$\s])[^\s"'&,;]{4,}/gi,
      '$1***',
    )
    // Tokens as issuers write them, and long random words; digests and commits that pin something stay readable.
    .replace(
      /(?<![\w:@-])(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|[sr]k_(?:live|test)_|sk-|AKIA|ASIA|AIza|npm_|hv[sb]\.|hf_)[\w.-]{12,}/g,
      maskedWord,
    )
    .replace(/(?<![\w:@-])[0-9a-f]{32,}(?![\w-])/gi, maskedWord)
    .replace(/(?<![\w:@])[A-Za-z0-9+_=]{20,}(?!\w)/g, (word) => (isRandom(word) ? maskedWord(word) : word))
  if (!strict) return shown
  return shown.replace(/[^\s"'`=:,;|&()<>@]{6,}/g, (word) => (/\d|[^\w./-]/.test(word) ? maskedWord(word) : word))
}

const isRandom = (word: string): boolean => /[a-z]/.test(word) && /[A-Z]/.test(word) && /\d/.test(word)
