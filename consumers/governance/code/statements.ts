import { atEnd, canonical, hand, is, keyOf, more, type Reader, tokenAt, wordAt } from './cursor.ts'
import { expression, plus } from './expressions.ts'
import { allIn, madeOf, named, unknown, type Value } from './values.ts'

/** Reads one statement: what it binds is known from here on. Answers what it holds. */
export function statement(r: Reader): Value {
  const first = wordAt(r)
  if (first === 'import' || (first === 'from' && r.language === 'python')) return imports(r, first)
  if (first === 'def' || first === 'function') return definition(r)
  if (first === 'async') r.at += 1
  if (/^(?:const|let|var)$/.test(first ?? '')) {
    r.at += 1
    if (is(r, '{')) return destructured(r)
  }
  if (first === 'return') {
    r.at += 1
    const answer = expression(r)
    if (r.inFunction !== '') hand(r, `${r.inFunction}()`, answer)
    return answer
  }
  return first === 'with' || first === 'for' ? bound(r, first) : assignment(r)
}

function assignment(r: Reader): Value {
  const start = r.at
  let value = expression(r)
  const targets = r.target === null ? [] : [r.target]
  while (targets.length > 0 && is(r, ',') && tokenAt(r, 1)?.type === 'name') {
    r.at += 1
    value = madeOf([value, expression(r)])
    if (r.target !== null) targets.push(r.target)
  }
  // `name: type = value`
  const [only = ''] = targets
  if (
    r.language === 'python' &&
    is(r, ':') &&
    targets.length === 1 &&
    r.tokens[start]?.text === only &&
    wordAt(r, 1) !== null
  ) {
    r.at += 1
    expression(r)
  }
  const adds = is(r, '+=')
  if ((!is(r, '=') && !adds && !is(r, ':=')) || targets.length === 0) return value
  r.at += 1
  value = expression(r)
  const next = r.target
  while (is(r, ',')) {
    r.at += 1
    value = madeOf([value, expression(r)])
  }
  for (const name of targets) {
    const before = adds ? r.known.get(keyOf(r, name)) : undefined
    const held = before === undefined ? value : plus(before, value)
    r.known.set(keyOf(r, name), held)
    r.hooks.onStore?.(canonical(r, name), held)
  }
  // `a = b = value`: the rest is read as a statement of its own.
  r.target = next
  return value
}

/** `with f(x) as y:`, `for y in x:`, `for (const y of x)`. */
function bound(r: Reader, kind: string): Value {
  r.at += 1
  if (kind === 'with') {
    const value = expression(r)
    const name = wordAt(r) === 'as' ? wordAt(r, 1) : null
    if (name !== null) {
      r.known.set(keyOf(r, name), value)
      r.at += 2
    }
    return value
  }
  if (is(r, '(')) r.at += 1
  if (/^(?:const|let|var)$/.test(wordAt(r) ?? '')) r.at += 1
  const names: string[] = []
  while (wordAt(r) !== null && !/^(?:in|of)$/.test(wordAt(r) ?? '')) {
    names.push(wordAt(r) ?? '')
    r.at += 1
    if (is(r, ',')) r.at += 1
  }
  if (!/^(?:in|of)$/.test(wordAt(r) ?? '')) return unknown()
  r.at += 1
  const value = { ...madeOf(allIn(expression(r))), mixed: false }
  for (const name of names) r.known.set(keyOf(r, name), value)
  return value
}

function imports(r: Reader, kind: string): Value {
  r.at += 1
  if (r.language !== 'python') return importsOfNode(r)
  const module = dotted(r)
  if (kind === 'from') {
    if (wordAt(r) === 'import') r.at += 1
    while (!atEnd(r)) {
      const name = wordAt(r)
      const renamed = wordAt(r, 1) === 'as' ? wordAt(r, 2) : null
      if (name !== null) r.known.set(renamed ?? name, imported(r, `${module}.${name}`))
      r.at += renamed === null ? 1 : 3
    }
    return unknown()
  }
  for (let path = module; path !== ''; path = dotted(r)) {
    if (wordAt(r) === 'as') {
      r.known.set(wordAt(r, 1) ?? '', imported(r, path))
      r.at += 2
    }
    if (is(r, ',')) r.at += 1
  }
  return unknown()
}

function imported(r: Reader, name: string): Value {
  const path = canonical(r, name)
  return { ...named(path), ...r.hooks.onName?.(path, tokenAt(r)?.start ?? 0, tokenAt(r)?.end ?? 0) }
}

function dotted(r: Reader): string {
  let path = ''
  while (is(r, '.') || (wordAt(r) !== null && !/^(?:import|as)$/.test(wordAt(r) ?? ''))) {
    path += tokenAt(r)?.text ?? ''
    r.at += 1
  }
  return path
}

/** `import a, { b as c } from 'm'`, `import * as d from 'm'`; `import('m')` is an expression. */
function importsOfNode(r: Reader): Value {
  if (is(r, '(')) {
    r.at -= 1
    return assignment(r)
  }
  const bindings: [string, string][] = []
  let inside = false
  while (!atEnd(r) && wordAt(r) !== 'from' && tokenAt(r)?.type !== 'text') {
    const name = is(r, '*') ? '*' : wordAt(r)
    const renamed = wordAt(r, 1) === 'as' ? wordAt(r, 2) : null
    if (is(r, '{')) inside = true
    if (name !== null) bindings.push([renamed ?? name, inside && name !== 'default' ? `.${name}` : ''])
    r.at += renamed === null ? 1 : 3
  }
  if (wordAt(r) === 'from') r.at += 1
  const module = tokenAt(r)?.type === 'text' ? (tokenAt(r)?.value ?? '') : ''
  for (const [alias, part] of module === '' ? [] : bindings) r.known.set(alias, imported(r, module + part))
  return unknown()
}

/** `def f(a, b=1):` and `function f(a, b) {`: the parameters hold what calls in the program give. */
function definition(r: Reader): Value {
  r.at += 1
  const name = wordAt(r)
  if (name === null || !is(r, '(', 1)) return unknown()
  r.at += 1
  const list = parametersAt(r)
  r.functions.set(name, list)
  r.inFunction = name
  for (const parameter of list) {
    const given = r.handed.get(`${name} ${parameter}`)
    if (given === undefined) r.known.delete(parameter)
    else r.known.set(parameter, given)
  }
  return unknown()
}

/** The names in a list of parameters; the place is behind it afterwards. */
export function parametersAt(r: Reader): string[] {
  const list: string[] = []
  let open = 0
  for (; more(r); r.at += 1) {
    if (is(r, '(') || is(r, '[') || is(r, '{')) open += 1
    if (is(r, ')') || is(r, ']') || is(r, '}')) open -= 1
    if (open === 0) break
    const starts = is(r, '(', -1) || is(r, ',', -1) || is(r, '*', -1) || is(r, '**', -1) || is(r, '{', -1)
    if (starts && wordAt(r) !== null) list.push(wordAt(r) ?? '')
  }
  r.at += 1
  return list
}

/** `const { a, b: c } = module`. */
function destructured(r: Reader): Value {
  const names: [string, string][] = []
  r.at += 1
  while (!atEnd(r) && !is(r, '}')) {
    const name = wordAt(r)
    const renamed = is(r, ':', 1) ? wordAt(r, 2) : null
    if (name !== null) names.push([name, renamed ?? name])
    r.at += renamed === null ? 1 : 3
  }
  r.at += 1
  if (!is(r, '=')) return unknown()
  r.at += 1
  const value = expression(r)
  for (const [name, alias] of names) {
    const path = value.path === null ? null : canonical(r, `${value.path}.${name}`)
    const from = path === null ? null : (r.hooks.onName?.(path, 0, 0) ?? null)
    r.known.set(alias, { ...madeOf([value]), mixed: false, ...value.named.get(name), path, ...from })
  }
  return value
}
