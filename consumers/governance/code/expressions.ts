import { answered } from './calls.ts'
import { canonical, edit, endBefore, is, keyOf, MOST_DEPTH, more, type Reader, tokenAt, wordAt } from './cursor.ts'
import { commandAt, isPowershellOperator, operated, pipedInto, typeAt, typed } from './powershell.ts'
import { parametersAt, statement } from './statements.ts'
import { holesIn, type Token } from './tokens.ts'
import { literal, madeOf, named, unknown, type Value } from './values.ts'

// Words that join or precede values without being one.
const WORDS =
  /^(?:await|new|not|in|and|or|is|async|typeof|void|yield|delete|throw|raise|else|elif|if|for|while|try|except|finally|do|catch|of|lambda|function|export|default|assert|del|case|switch|instanceof|return)$/
// Names that are worth their full spelling: a rule may look for them.
const WORTH =
  /^(?:os|sys|subprocess|socket|requests|urllib|urllib3|httpx|aiohttp|http|https|net|tls|dns|dgram|child_process|fs|vm|process|base64|binascii|zlib|marshal|codecs|shutil|ctypes|pty|smtplib|ftplib|paramiko|winreg|getpass|platform|pynput|pyperclip|keyboard|ImageGrab|PIL|scapy|importlib|builtins|axios|got|node-fetch|superagent|eval|exec|compile|Function|fetch)(?:\.|$)/

/** Reads values joined by operators up to the next sign that ends them. `r.target` is its name when it is only one. */
export function expression(r: Reader): Value {
  r.target = null
  if (r.depth >= MOST_DEPTH) {
    r.at += 1
    return unknown()
  }
  r.depth += 1
  const start = r.at
  let value: Value | null = null
  let joins: string | null = null
  let target: string | null = null
  while (more(r)) {
    const current = tokenAt(r)
    if (current === undefined || current.type === 'end') break
    if (current.type === 'sign' && /^(?:[,)\]};:]|=|\+=|:=)$/.test(current.text)) break
    if (value !== null && r.language === 'python' && /^(?:as|from)$/.test(wordAt(r) ?? '')) break
    if (is(r, '=>') || current.text === 'function') {
      functionAt(r, start)
      continue
    }
    if (isOperator(r, current)) {
      // `Path.home() / '.ssh'` joins the parts of a path.
      const path = current.text === '/' && r.language === 'python'
      joins = path ? '/' : current.text === '+' ? '' : value === null ? joins : null
      target = null
      r.at += 1
      if (is(r, '|', -1) && r.language === 'powershell') value = pipedInto(r, value ?? unknown())
      else if (/^-(?:join|f)$/i.test(current.text)) value = operated(r, current.text.toLowerCase(), value)
      continue
    }
    const before = r.at
    const operand = primary(r)
    if (r.at === before) r.at += 1
    target = value === null ? r.target : null
    if (value === null) value = operand
    else value = joins === null ? madeOf([value, operand]) : plus(value, operand, joins)
    // Texts that stand beside each other are one in Python.
    joins = r.language === 'python' && value.text !== null && tokenAt(r)?.type === 'text' ? '' : null
  }
  r.depth -= 1
  const made = value ?? unknown()
  const first = r.tokens[start]
  if (made.text !== null && first !== undefined && r.at - start > 1 && made.text.length < 2000 && target === null)
    edit(r, first.start, endBefore(r), JSON.stringify(made.text))
  r.target = target
  return made
}

/** A function written where a value stands: its parameters hold what it will be called with. */
function functionAt(r: Reader, start: number): void {
  const names: string[] = []
  if (is(r, '=>')) {
    for (let at = r.at - 1; at >= start && at > r.at - 20; at -= 1) {
      const token = r.tokens[at]
      if (token?.type === 'name' && token.text !== 'async') names.push(token.text)
      else if (token === undefined || !/^[(),{}]$/.test(token.text)) break
    }
    r.at += 1
  } else {
    r.at += wordAt(r, 1) === null ? 1 : 2
    if (is(r, '(')) names.push(...parametersAt(r))
  }
  for (const name of names) {
    if (r.callback === null) r.known.delete(keyOf(r, name))
    else r.known.set(keyOf(r, name), r.callback)
  }
}

function isOperator(r: Reader, { type, text }: Token): boolean {
  if (type === 'sign') return !/^[([{]$/.test(text) && !(r.language === 'powershell' && /^[&.]$/.test(text))
  if (type !== 'name') return false
  return r.language === 'powershell' ? isPowershellOperator(text) : WORDS.test(text)
}

/** Two values put together: a text when both are. */
export function plus(left: Value, right: Value, between = ''): Value {
  const made = { ...madeOf([left, right]), path: between === '' ? null : left.path, hint: left.text ?? left.hint }
  if (left.text !== null && right.text !== null && left.text.length + right.text.length < 50_000)
    return { ...made, text: left.text + between + right.text, mixed: false }
  return made
}

/** Reads one value with everything that is asked of it: members, indexes, calls. */
export function primary(r: Reader): Value {
  const first = tokenAt(r)
  r.target = null
  if (first === undefined) return unknown()
  const powershell = r.language === 'powershell'
  if (first.type === 'text') {
    r.at += 1
    return postfix(r, first.holes.length === 0 ? literal(first.value) : filled(r, first), first, '')
  }
  if (first.type === 'number') {
    r.at += 1
    return postfix(r, literal(first.text), first, '')
  }
  if (first.type === 'name') {
    r.at += 1
    if (powershell && !first.text.startsWith('$')) {
      if (first.text.startsWith('-')) return literal(first.text)
      if (!is(r, '.') && !is(r, '::')) return commandAt(r, canonical(r, first.text), first.start)
    }
    r.target = first.text
    const known = r.known.get(keyOf(r, first.text))
    return postfix(r, known ?? outside(r, first.text, first), first, first.text)
  }
  if (is(r, '(')) {
    r.at += 1
    const items = listUntil(r, ')')
    const [only] = items
    return postfix(r, items.length === 1 && only !== undefined ? only : { ...madeOf(items), items }, first, '')
  }
  if (is(r, '[')) {
    const type = powershell ? typeAt(r) : null
    if (type !== null) return is(r, '::') ? postfix(r, named(canonical(r, type)), first, '') : typed(type, primary(r))
    r.at += 1
    const items = listUntil(r, ']')
    return postfix(r, { ...madeOf(items), items, mixed: false }, first, '')
  }
  if (is(r, '{')) return postfix(r, object(r), first, '')
  r.at += 1
  if (!powershell || !/^[&.]$/.test(first.text) || r.depth >= MOST_DEPTH) return unknown()
  // `& $command` and `. file`
  r.depth += 1
  const callee = primary(r)
  r.depth -= 1
  return callee.text === null ? callee : commandAt(r, canonical(r, callee.text), first.start)
}

// A text that fills itself in with itself ends here.
const MOST_FILLED = 2_000

/** A text with expressions in it holds what these do; where they are names of known texts it is a known text itself. */
function filled(r: Reader, token: Token): Value {
  let open = token.value.length > MOST_FILLED
  let left = MOST_FILLED
  const text = token.value.replace(holesIn(r.language), (hole, inner?: string, plain?: string) => {
    const known = r.known.get(keyOf(r, (inner ?? plain ?? '').trim()))?.text ?? null
    left -= known?.length ?? 0
    open ||= known === null || left < 0
    return open ? hole : (known ?? hole)
  })
  if (!open) {
    edit(r, token.start, token.end, JSON.stringify(text))
    return literal(text)
  }
  const inside = token.holes.flatMap((hole) =>
    (hole.match(/[$A-Za-z_][\w$]*(?:[.:]\w+)*(?:\[["']\w+["']\])?/g) ?? []).slice(0, 10).map((name) => {
      const [head = ''] = name.split(/[.[]/)
      return r.known.get(keyOf(r, head)) ?? outside(r, name.replace(/\[["'](\w+)["']\]/, '.$1'), token)
    }),
  )
  return { ...madeOf(inside), mixed: true, hint: text.slice(0, MOST_FILLED) }
}

function outside(r: Reader, name: string, { start, end }: Token): Value {
  const path = canonical(r, r.language === 'powershell' ? name.replace(/^\$\{?|\}$/g, '') : name)
  return { ...named(path), ...r.hooks.onName?.(path, start, end) }
}

/** Members, indexes and calls after a value; `name` is how the value was written, when it was a name. */
export function postfix(r: Reader, base: Value, first: Token, name: string): Value {
  let value = base
  let receiver: Value | null = null
  let target = name === '' ? null : name
  let renamed = name !== '' && base.path !== null && base.path !== name
  const full = (path: string | null): void => {
    if (renamed && path !== null && WORTH.test(path) && /^[\w.$]+$/.test(path)) edit(r, first.start, endBefore(r), path)
  }
  for (let guard = 0; guard < 500; guard += 1) {
    const touches = tokenAt(r)?.start === endBefore(r)
    if ((is(r, '.') || is(r, '?.') || is(r, '::')) && wordAt(r, 1) !== null) {
      const member = wordAt(r, 1) ?? ''
      r.at += 2
      receiver = value
      value = memberOf(r, value, member, first)
      target = value.path
    } else if (is(r, '?.') && (is(r, '(', 1) || is(r, '[', 1))) r.at += 1
    else if (is(r, '[') && touches) {
      r.at += 1
      const index = subscript(r)
      receiver = value
      if (index.text === '::-1' && value.text !== null) value = { ...value, text: [...value.text].reverse().join('') }
      else if (index.text !== null && /^[A-Za-z_]\w*$/.test(index.text)) {
        value = memberOf(r, value, index.text, first)
        renamed = true
      } else if (/^(?:os\.environ|process\.env)$/.test(value.path ?? '')) value = memberOf(r, value, '*', first)
      else value = { ...madeOf([value, index]), mixed: value.mixed }
      target = value.path
    } else if (is(r, '(') && (touches || r.language === 'python')) {
      full(value.path)
      value = answered(r, value, receiver, first.start, () => listUntil(r, ')'))
      if (value.path !== null && !value.path.includes('()')) renamed = true
      receiver = null
      target = null
    } else break
  }
  full(value.path)
  r.target = target
  return value
}

function memberOf(r: Reader, value: Value, member: string, first: Token): Value {
  const inner = value.named.get(member)
  if (inner !== undefined) return inner
  const path = value.path === null ? null : canonical(r, `${value.path}.${member}`)
  const own = path === null ? undefined : r.known.get(keyOf(r, path))
  if (own !== undefined) return own
  const from = path === null ? null : r.hooks.onName?.(path, first.start, endBefore(r))
  return { ...madeOf([value]), mixed: value.mixed, path, file: value.file, ...from }
}

function subscript(r: Reader): Value {
  if (is(r, '::')) {
    const backwards = is(r, '-', 1) && tokenAt(r, 2)?.text === '1'
    while (more(r) && !is(r, ']')) r.at += 1
    r.at += 1
    return backwards ? literal('::-1') : unknown()
  }
  const items = listUntil(r, ']')
  return items.length === 1 && items[0] !== undefined ? items[0] : unknown()
}

/** Values up to a closing sign, which is stepped over; `name=value` lands in `r.fields`. */
export function listUntil(r: Reader, close: string): Value[] {
  const items: Value[] = []
  const fields = new Map<string, Value>()
  while (more(r) && !is(r, close)) {
    const before = r.at
    const value = expression(r)
    const name = r.target
    if (is(r, '=') && name !== null && close === ')') {
      r.at += 1
      fields.set(name, expression(r))
    } else if (r.at > before) items.push(value)
    if (is(r, ',') || tokenAt(r)?.type === 'end' || r.at === before) r.at += 1
    // A closing sign of another kind: the text is broken here.
    else if (/^[)\]}]$/.test(tokenAt(r)?.text ?? '')) break
    else if (!is(r, close)) r.at += 1
  }
  if (is(r, close)) r.at += 1
  r.fields = fields
  return items
}

/** `{a: 1, ...b}`, a block of statements or a set: whatever it is, it holds what stands in it. */
function object(r: Reader): Value {
  const items: Value[] = []
  const fields = new Map<string, Value>()
  r.at += 1
  r.depth += 1
  while (more(r) && !is(r, '}')) {
    const before = r.at
    const name = tokenAt(r)?.type === 'text' ? (tokenAt(r)?.value ?? '') : wordAt(r)
    if (name !== null && (is(r, ':', 1) || (r.language === 'powershell' && is(r, '=', 1)))) {
      r.at += 2
      fields.set(name, expression(r))
    } else if (r.depth < MOST_DEPTH) items.push(statement(r))
    if (r.at === before) r.at += 1
  }
  r.depth -= 1
  r.at += 1
  return { ...madeOf([...items, ...fields.values()]), items, named: fields, mixed: false }
}
