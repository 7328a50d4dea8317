import { issuedSecrets } from './secret-patterns.ts'

/** A secret as it may be shown: its first characters and its length. */
export const masked = (secret: string): string =>
  `${secret.slice(0, Math.min(4, secret.length >> 2))}… (${secret.length} characters)`

/** One line of a text for a message, at most 120 characters, with everything that may be a secret masked. */
export function excerpt(text: string): string {
  let line = text.slice(0, 2000)
  for (const { value } of issuedSecrets(line)) line = line.replaceAll(value, '***')
  line = line
    .replace(
      /((?:password|passwd|secret|token|api[_-]?key)["']?\s{0,3}[:=]\s{0,3}["']?(?:bearer\s+)?)(?!\$)[^\s"'&]{4,200}/gi,
      '$1***',
    )
    .replace(/\b[A-Za-z0-9+=_]{40,2000}\b/g, (word) => `${word.slice(0, 4)}***`)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
  return line.length > 120 ? `${line.slice(0, 117)}...` : line
}
