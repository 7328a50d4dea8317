import type { Language } from './shell-commands.ts'

// Text in quotes or a comment, whichever comes first. Each alternative reads a text or comment to its end once, so the
// search is linear. Triple quotes of Python stand before single ones.
const PYTHON =
  /"""(?:[^\\]|\\.)*?(?:"""|$)|'''(?:[^\\]|\\.)*?(?:'''|$)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|#[^\n]*/gs
const HASH = /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|(?<![$\w])#(?!\{)[^\n]*/gs
const SLASH = /"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`(?:[^`\\]|\\.)*`?|(?<![:\\/])\/\/[^\n]*|\/\*.*?(?:\*\/|$)/gs

/** Code with its comments blanked, of the same length. Quoted text stays; a text alone in a statement is a comment too. */
export function withoutComments(text: string, language: Language): string {
  if (language === 'python') {
    return text.replace(PYTHON, (found, at: number) =>
      found.startsWith('#') || isDocstring(text, found, at) ? blank(found) : found,
    )
  }
  if (language === 'node' || language === 'php') {
    return text.replace(SLASH, (found) => (found.startsWith('/') ? blank(found) : found))
  }
  return text.replace(HASH, (found) => (found.startsWith('#') ? blank(found) : found))
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

function isDocstring(text: string, found: string, at: number): boolean {
  if (!/^(?:"""|''')/.test(found)) return false
  const lineStart = text.lastIndexOf('\n', at - 1) + 1
  const after = text.slice(at + found.length, at + found.length + 2)
  return (
    text.slice(lineStart, at).trim() === '' &&
    /^\s*(?:\n|$)/.test(after) &&
    !/[(=,[]\s*$/.test(text.slice(Math.max(0, lineStart - 40), lineStart))
  )
}
