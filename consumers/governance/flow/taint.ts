import type { Place } from '../place.ts'

/** Secret content on its way: what it is, where it was read, and where it was changed or kept since. */
export type Trace = { what: string; from: Place; via: readonly Place[] }

/**
 * What holds secret content so far: files, variables and the printed output of handlers (by name). `named` are variables
 * of the configuration that hold one secret: handing one on is how logins work, so they weigh less.
 */
export type Taint = {
  files: Map<string, Trace>
  variables: Map<string, Trace>
  outputs: Map<string, Trace>
  named: Map<string, Trace>
}

/** The name under which is kept what a push would take along. */
export const COMMITTED = '.git/objects'

const MOST_STEPS = 6
const MOST_KEPT = 500

export const noTaint = (): Taint => ({ files: new Map(), variables: new Map(), outputs: new Map(), named: new Map() })

/** The same content one step on; the steps between first and last are enough to follow it. */
export const passedOn = (trace: Trace, by: Place): Trace => {
  const last = trace.via.at(-1) ?? trace.from
  const same = last.pointer === by.pointer && last.range?.start === by.range?.start
  return same || trace.via.length >= MOST_STEPS ? trace : { ...trace, via: [...trace.via, by] }
}

/** A path as one name: quotes, `./`, closing slashes and spellings of the home directory make no difference. */
export const fileKey = (path: string): string =>
  path
    .replace(/^["']|["']$/g, '')
    .replace(/^(?:\$HOME|\$\{HOME\})(?=\/|$)/, '~')
    .replace(/^(?:\.\/)+/, '')
    .replace(/\/{2,}/g, '/')
    .replace(/(?<=.)\/+\*?$/, '')

/** Notes that a file or a directory holds secret content. Devices and places that everything is under are left out. */
export function keepFile(taint: Taint, path: string, trace: Trace): void {
  const key = fileKey(path)
  if (key === '' || /^(?:[&\d-]|\/dev\/|\/tmp$|\.{1,2}$|[/~]$)/.test(key) || taint.files.size >= MOST_KEPT) return
  taint.files.set(key, trace)
}

/** The secret content in a file, or in a directory that it lies in. */
export function inFile(taint: Taint, path: string): Trace | null {
  if (taint.files.size === 0 || path.length > 1000) return null
  let key = fileKey(path)
  for (let level = 0; level < 12 && key !== ''; level += 1) {
    const found = taint.files.get(key)
    if (found !== undefined) return found
    const up = key.lastIndexOf('/')
    if (up <= 0) return null
    key = key.slice(0, up)
  }
  return null
}

const VARIABLE =
  /\$\{?([A-Za-z_]\w{0,80})|\$\{\{\s{0,4}(?:env|steps\.[\w-]{1,80}\.outputs|outputs|needs\.[\w-]{1,80}\.outputs)\.([A-Za-z_][\w-]{0,80})/g
const OUTPUT =
  /\b(?:steps|handlers|tasks|outputs|results)\.([\w-]{1,80})\.(?:output|outputs|stdout|result|results|body|response)\b/g

/** The secret content that a text takes in by a variable or by the output of an earlier handler. */
export function inText(taint: Taint, text: string): Trace | null {
  if (taint.variables.size > 0) {
    for (const [, plain, expression] of text.matchAll(VARIABLE)) {
      const found = taint.variables.get(plain ?? expression ?? '')
      if (found !== undefined) return found
    }
  }
  if (taint.outputs.size > 0) {
    for (const [, name] of text.matchAll(OUTPUT)) {
      const found = taint.outputs.get(name ?? '')
      if (found !== undefined) return found
    }
  }
  return null
}

/** The name of a variable in a text that the configuration gave one secret, or null. */
export function namedSecret(taint: Taint, text: string): string | null {
  if (taint.named.size === 0) return null
  for (const [, plain, expression] of text.matchAll(VARIABLE)) {
    const name = plain ?? expression ?? ''
    if (taint.named.has(name)) return name
  }
  return null
}
