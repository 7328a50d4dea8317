import type { InlineCode } from './shell-commands.ts'

const DECODES =
  /b64decode|decode64|atob\s?\(|fromhex|unhexlify|FromBase64String|Buffer\.from\([^\n)]{0,4000}['"](?:base64|hex)['"]|base64_decode/
const LITERAL = /["'`]([A-Za-z0-9+/=_-]{24,20000})["'`]/g
const HEX = /^(?:[0-9a-f]{2}){12,10000}$/i

/** Literals that code decodes, decoded, so that what is hidden in them is read too. At most eight, text only. */
export function decodedLiterals(code: readonly InlineCode[]): InlineCode[] {
  const found: InlineCode[] = []
  for (const { language, text, within } of code) {
    if (!DECODES.test(text)) continue
    for (const [, literal = ''] of text.matchAll(LITERAL)) {
      const decoded = Buffer.from(literal, HEX.test(literal) ? 'hex' : 'base64').toString('utf8')
      if (isText(decoded)) found.push({ language, text: decoded, within: within ?? { start: 0, end: text.length } })
      if (found.length === 8) return found
    }
  }
  return found
}

const isText = (text: string): boolean => {
  const odd = text.match(/[^\x20-\x7e\s]/g)?.length ?? 0
  return text.length >= 12 && odd <= text.length / 20
}
