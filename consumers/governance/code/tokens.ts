import type { Language } from '../shell-commands.ts'

/**
 * One token of a program. `value` is what a quoted text says after its escapes, `holes` the expressions inside it
 * (`f"{x}"`, `${x}`, `"$x"`). `end` stands for the end of a statement. Comments make none.
 */
export type Token = {
  type: 'name' | 'text' | 'number' | 'sign' | 'end'
  text: string
  start: number
  end: number
  value: string
  holes: string[]
}

// What is longer is searched by pattern only, and over 100 kB reported as too large to be read (WPK-P6-001).
export const MOST_TEXT = 50_000
const MOST_TOKENS = 12_000

const SPACE = /[ \t\r\f\v]+/y
const NUMBER = /0[xX][0-9a-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?/y
const SIGN = /=>|===|!==|==|!=|<=|>=|\?\.|\?\?|\*\*|\+=|-=|\|\||&&|::|->|:=|\.\.\.|[^\s\w]/y
const NAMES: Record<string, RegExp> = {
  python: /[A-Za-z_]\w*/y,
  node: /[A-Za-z_$][\w$]*/y,
  // Variables, also with a scope (`$env:X`), commands with their hyphens, switches. A backtick between letters says nothing.
  powershell: /\$\{?(?:\w+:)?\w+\}?|[A-Za-z_](?:[\w`]|-(?=[A-Za-z`]))*|-[A-Za-z]\w*/y,
}
const COMMENTS: Record<string, RegExp> = {
  python: /#[^\n]*/y,
  node: /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|(?<![\s\S])#![^\n]*/y,
  powershell: /<#[\s\S]*?(?:#>|$)|#[^\n]*/y,
}
const TEXTS: Record<string, RegExp> = {
  python:
    /([rbfuRBFU]{0,2})("""(?:[^\\]|\\[\s\S])*?(?:"""|$)|'''(?:[^\\]|\\[\s\S])*?(?:'''|$)|"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?)/y,
  node: /()("(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?|`(?:[^`\\]|\\[\s\S])*`?)/y,
  powershell: /()(@'\r?\n[\s\S]*?(?:\n'@|$)|@"\r?\n[\s\S]*?(?:\n"@|$)|'(?:[^']|'')*'?|"(?:[^"`]|`[\s\S]|"")*"?)/y,
}
// Bounded: unclosed classes would otherwise be searched to the end of the line from every slash.
const PATTERN = /\/(?![*/\s])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.){0,100}\]){1,300}\/[a-z]{0,8}/y
// After these a slash starts a pattern; after a value it divides.
const BEFORE_PATTERN =
  /^(?:[=(,;:!&|?{}[+\-*%<>~^]|=>|===|!==|==|!=|&&|\|\||\?\?|\+=|return|typeof|case|in|of|delete|void)$/

/** Languages that can be read; the others are only searched by pattern. */
export const isReadable = (language: Language): boolean => Object.hasOwn(NAMES, language)

/** The tokens of a program, at most 12 000; what belongs to no token is left out. Linear in the text. */
export function tokensOf(source: string, language: Language): Token[] {
  const name = NAMES[language]
  const comment = COMMENTS[language]
  const quoted = TEXTS[language]
  if (name === undefined || comment === undefined || quoted === undefined) return []
  const text = source.slice(0, MOST_TEXT)
  const tokens: Token[] = []
  const open: string[] = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(text)
  }
  const add = (type: Token['type'], found: string, value = '', holes: string[] = []): void => {
    tokens.push({ type, text: found, start: at, end: at + found.length, value, holes })
    at += found.length
  }
  while (at < text.length && tokens.length < MOST_TOKENS) {
    const skipped = match(SPACE) ?? match(comment)
    if (skipped !== null && skipped[0] !== '') {
      at += skipped[0].length
      continue
    }
    const char = text.charAt(at)
    if (char === '\n' || char === ';') {
      // Inside brackets a line goes on; a block of JavaScript has lines of its own.
      const inside = open.at(-1)
      const goesOn = inside === '(' || inside === '[' || (inside === '{' && language === 'python')
      if (!goesOn && tokens.at(-1)?.type !== 'end' && !/^\s*\??\.(?!\d)/.test(text.slice(at + 1, at + 200)))
        add('end', char)
      else at += 1
      continue
    }
    if ((char === '\\' || char === '`') && text.charAt(at + 1) === '\n') {
      at += 2
      continue
    }
    const found = match(quoted)
    if (found !== null) {
      const literal = literalOf(found[1] ?? '', found[2] ?? '', language)
      add('text', found[0], literal.value, literal.holes)
      continue
    }
    const word = match(name)
    if (word !== null) {
      add('name', language === 'powershell' ? word[0].replaceAll('`', '') : word[0])
      at = (tokens.at(-1)?.start ?? at) + word[0].length
      const last = tokens.at(-1)
      if (last !== undefined) last.end = at
      continue
    }
    const before = tokens.at(-1)
    const regex =
      char === '/' &&
      language === 'node' &&
      (before === undefined || before.type === 'end' || BEFORE_PATTERN.test(before.text))
        ? match(PATTERN)
        : null
    const plain = regex ?? match(NUMBER)
    if (plain !== null) {
      add('number', plain[0])
      continue
    }
    const sign = match(SIGN)
    if (sign === null) {
      at += 1
      continue
    }
    if (/[([{]/.test(sign[0])) open.push(sign[0])
    else if (/[)\]}]/.test(sign[0])) open.pop()
    add('sign', sign[0])
  }
  return tokens
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', '0': '\0', b: '\b' }
const HOLES: Record<string, RegExp> = {
  python: /\{([^{}\n]{1,500})\}/g,
  node: /\$\{((?:[^{}]|\{[^{}]{0,500}\}){1,1000})\}/g,
  powershell: /\$\(([^()]{1,500})\)|(\$\{?(?:\w+:)?\w+\}?)/g,
}

const NO_HOLE = /(?!)/g
/** What stands for an expression in a text of a language; the name is in the first group that matched. */
export const holesIn = (language: Language): RegExp => HOLES[language] ?? NO_HOLE

function literalOf(prefix: string, quotedText: string, language: Language): { value: string; holes: string[] } {
  const here = /^@["']/.test(quotedText)
  const mark = here ? 2 : /^(?:"""|''')/.test(quotedText) ? 3 : 1
  const closed = quotedText.length >= 2 * mark && quotedText.slice(-1) === quotedText.slice(mark - 1, mark)
  const inner = here ? quotedText.slice(3, -3) : quotedText.slice(mark, closed || mark === 3 ? -mark : undefined)
  const open =
    language === 'python'
      ? /f/i.test(prefix)
      : language === 'node'
        ? quotedText.startsWith('`')
        : /^@?"/.test(quotedText)
  const pattern = HOLES[language]
  const holes =
    open && pattern !== undefined
      ? [...inner.matchAll(pattern)]
          .slice(0, 50)
          .map((found) => (found[1] ?? found[2] ?? '').replace(/[!:][^!:()[\]'"]{0,20}$/, ''))
      : []
  if (language === 'powershell') return { value: inner.replace(/`(.)/g, '$1').replaceAll("''", "'"), holes }
  return { value: /r/i.test(prefix) ? inner : unescaped(inner), holes }
}

const unescaped = (text: string): string =>
  text.includes('\\')
    ? text.replace(
        /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|([0-7]{3})|\n|([\s\S]))/g,
        (_all, hex?: string, unit?: string, point?: string, octal?: string, other?: string) => {
          const code = hex ?? unit ?? point
          if (code !== undefined) return codePoint(Number.parseInt(code, 16))
          if (octal !== undefined) return codePoint(Number.parseInt(octal, 8))
          return other === undefined ? '' : (ESCAPES[other] ?? other)
        },
      )
    : text

/** The character of a number, or nothing for a number that has none. */
export const codePoint = (code: number): string => (code >= 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '')
