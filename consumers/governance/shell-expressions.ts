// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
/** A script in which template expressions are words, and the way back to what they were. */
export type Marked = { text: string; restore: (text: string) => string }

// Expressions that something else fills in before a shell sees the text: `${{ ... }}`, `{{ ... }}`, and `$(params.x)`
// of pipelines, which a shell would take for a command. Bounded, so that the search stays linear.
const EXPRESSION =
  /\$?\{\{[^{}]{0,1000}(?:\{[^{}]{0,200}\}[^{}]{0,1000})?\}\}|\$\((?:params|workspaces|context|results|tasks|inputs|outputs|resources)\.[\w.[\]'"*-]{1,200}\)/g
// Private characters, which a script has no use for; a mark is as long as what it stands for, so places stay true.
const START = '\uE000'
const FILL = '\uE001'
const DIGIT = 0xe010
const MARK = /\uE000[\uE010-\uE019]+\uE001*/g
const MOST = 2000

/** Replaces template expressions by marks of the same length. */
export function markExpressions(source: string): Marked {
  const clean = source.replace(/[\uE000-\uE019]/g, '?')
  const expressions: string[] = []
  const text = clean.replace(EXPRESSION, (found) => {
    const number = [...String(expressions.length)].map((digit) => String.fromCharCode(DIGIT + Number(digit))).join('')
    if (expressions.length >= MOST || found.length < number.length + 1) return found
    expressions.push(found)
    return START + number + FILL.repeat(found.length - number.length - 1)
  })
  const original = (mark: string): string => {
    const digits = mark.replace(/[\uE000\uE001]/g, '')
    return expressions[Number([...digits].map((digit) => digit.charCodeAt(0) - DIGIT).join(''))] ?? mark
  }
  return { text, restore: (marked) => (marked.includes(START) ? marked.replace(MARK, original) : marked) }
}
