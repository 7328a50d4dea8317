import { parseDocument } from '../../platform/document.ts'
import { pointerStep } from '../../platform/document-problem.ts'
import type { Wpk } from '../../schemas/wpk.ts'
import { appliedTexts } from './applied-manifests.ts'
import { understood } from './code/understood.ts'
import { withoutComments } from './code-comments.ts'
import { decodedLiterals } from './code-decoding.ts'
import { embeddedPipelines } from './embedded-commands.ts'
import { execParts } from './exec-array.ts'
import { COMMAND_KEYS, ENV_KEYS, MANIFEST_KEYS, PROSE_KEYS, SHELL_MODULES, URL_KEYS } from './fact-keys.ts'
import { normalised } from './hidden-characters.ts'
import { isSecretName } from './secret-names.ts'
import { type Pipeline, parseShell, type TextRange } from './shell.ts'
import { allPipelines, type InlineCode, inlineCode, type Language, languageOf } from './shell-commands.ts'

export type FactKind = 'command' | 'image' | 'url' | 'env' | 'header' | 'manifest' | 'string'
export type Area = 'handler' | 'rollback' | 'trigger' | 'alert'

/**
 * One value that something executes or sends. `pointer` is its exact place, `path` the same but for what stands in a
 * manifest that is a text (there its place in the object), `name` its key (or the variable or header
 * it sets), `handler` the index of its handler (-1 outside of one). `bare` is the text with comments blanked and
 * look-alike characters replaced; `offset` where it begins in the value at the pointer, or null when its places are not
 * places of that value. Only command facts have pipelines (shell, and shell started from other code) and code (the rest).
 */
export type Fact = {
  pointer: string
  path: string
  kind: FactKind
  name: string
  text: string
  area: Area
  handler: number
  bare: string
  offset: number | null
  pipelines: Pipeline[]
  code: InlineCode[]
}

type Place = { area: Area; handler: number; language: Language; inManifest: boolean }

// As many objects as are looked at in all; a fact of this name says that there were more (WPK-P6-001).
const MOST_DOCUMENTS = 500
export const UNREAD = 'documents that were not read'

/** All facts of a package, in document order. Metadata and descriptions yield none. */
export function factsOf(wpk: Wpk): Fact[] {
  const facts: Fact[] = []
  const { spec } = wpk
  const visit = (value: unknown, pointer: string, area: Area, handler: number): void => {
    const place: Place = { area, handler, language: scriptLanguage(value), inManifest: false }
    visitObject(facts, value, pointer, place)
  }
  spec.handlers.forEach((item, index) => {
    visit(item.config, `/spec/handlers/${index}/config`, 'handler', index)
  })
  spec.rollback?.handlers?.forEach((item, index) => {
    visit(item.config, `/spec/rollback/handlers/${index}/config`, 'rollback', index)
  })
  spec.triggers?.forEach((item, index) => {
    visit(item.config, `/spec/triggers/${index}/config`, 'trigger', -1)
  })
  spec.monitoring?.alerts?.forEach((item, index) => {
    visit(item, `/spec/monitoring/alerts/${index}`, 'alert', -1)
  })
  return facts
}

function scriptLanguage(config: unknown): Language {
  const interpreter = isObject(config) ? (config.interpreter ?? config.shell ?? config.language) : undefined
  if (typeof interpreter !== 'string' || interpreter === '') return 'shell'
  return languageOf(interpreter.split(/\s/)[0] ?? '') ?? 'other'
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')

function visitObject(facts: Fact[], value: unknown, pointer: string, place: Place): void {
  if (!isObject(value)) return
  const done = visitExec(facts, value, pointer, place)
  for (const [key, item] of Object.entries(value)) {
    if (PROSE_KEYS.has(key) || done.has(key)) continue
    visitValue(facts, key, item, pointer + pointerStep(key), place, value)
  }
}

function visitValue(
  facts: Fact[],
  key: string,
  value: unknown,
  pointer: string,
  place: Place,
  parent: Record<string, unknown>,
): void {
  if (ENV_KEYS.has(key) && typeof value === 'object') visitEnv(facts, value, pointer, place)
  else if (key === 'headers' && isObject(value)) visitNamed(facts, value, pointer, 'header', place)
  else if (place.inManifest && (key === 'data' || key === 'stringData') && isObject(value)) {
    visitData(facts, value, pointer, place, parent.kind === 'Secret' ? key : null)
  } else if (MANIFEST_KEYS.has(key)) visitManifest(facts, key, value, pointer, place)
  else if (Array.isArray(value)) {
    value.forEach((item, index) => {
      const step = pointer + pointerStep(index)
      if (isObject(item)) visitObject(facts, item, step, place)
      else visitValue(facts, key, item, step, place, parent)
    })
  } else if (isObject(value)) visitObject(facts, value, pointer, place)
  else if (value !== null && value !== undefined) leaf(facts, key, value, pointer, place, parent)
}

function leaf(
  facts: Fact[],
  key: string,
  value: unknown,
  pointer: string,
  place: Place,
  parent: Record<string, unknown>,
): void {
  const text = String(value)
  const isText = typeof value === 'string'
  const before = facts.length
  if (isText && (COMMAND_KEYS.has(key) || (key === 'args' && SHELL_MODULES.test(String(parent.module ?? ''))))) {
    pushCommand(facts, commandFact(key, text, pointer, place), place)
  } else if (isText && (key === 'image' || key === 'container')) facts.push(fact('image', key, text, pointer, place))
  else if (isText && key === 'uses' && text.startsWith('docker://'))
    facts.push({ ...fact('image', key, text.slice(9), pointer, place), offset: 9 })
  else if (isText && (URL_KEYS.has(key) || /^https?:\/\//i.test(text)))
    facts.push(fact('url', key, text, pointer, place))
  else if (isText && isSecretName(key)) facts.push(fact('env', key, text, pointer, place))
  else facts.push(fact(place.inManifest ? 'manifest' : 'string', key, text, pointer, place))
  if (!isText) for (const made of facts.slice(before)) made.offset = null
}

/** `command` and `args` lists belong together: together they are one program call. */
function visitExec(facts: Fact[], value: Record<string, unknown>, pointer: string, place: Place): Set<string> {
  const done = new Set<string>()
  const commandKey = ['command', 'entrypoint', 'cmd'].find((key) => isTextList(value[key]))
  const command = commandKey === undefined ? [] : (value[commandKey] as string[])
  const single = commandKey === undefined && typeof value.command === 'string' && !/\s/.test(value.command)
  const args = isTextList(value.args) ? value.args : []
  const list = [...(single ? [String(value.command)] : command), ...args]
  if (list.length === 0 || (args.length === 0 && commandKey === undefined)) return done
  const offset = list.length - args.length
  for (const part of execParts(list)) {
    const inArgs = part.index === null ? args.length > 0 : part.index >= offset
    const base = pointer + pointerStep(inArgs ? 'args' : (commandKey ?? 'command'))
    const at = part.index === null ? base : base + pointerStep(part.index - (inArgs ? offset : 0))
    const made = commandFact('command', part.text, at, { ...place, language: part.language })
    // A line made of a whole list stands in no single value.
    pushCommand(facts, part.index === null ? { ...made, offset: null } : made, place)
  }
  if (commandKey !== undefined) done.add(commandKey)
  if (single) done.add('command')
  if (args.length > 0) done.add('args')
  return done
}

function visitEnv(facts: Fact[], value: unknown, pointer: string, place: Place): void {
  if (isObject(value)) visitNamed(facts, value, pointer, 'env', place)
  if (!Array.isArray(value)) return
  value.forEach((item: unknown, index) => {
    const step = pointer + pointerStep(index)
    if (typeof item === 'string') {
      const equals = item.indexOf('=')
      const made = fact('env', item.slice(0, Math.max(equals, 0)), item.slice(equals + 1), step, place)
      facts.push({ ...made, offset: equals + 1 })
    } else if (isObject(item) && item.value !== undefined) {
      facts.push(fact('env', String(item.name ?? ''), String(item.value), `${step}/value`, place))
    } else visitObject(facts, item, step, place)
  })
}

function visitNamed(
  facts: Fact[],
  value: Record<string, unknown>,
  pointer: string,
  kind: FactKind,
  place: Place,
): void {
  for (const [name, item] of Object.entries(value)) {
    const step = pointer + pointerStep(name)
    if (isObject(item)) visitObject(facts, item, step, place)
    else if (item !== null) {
      const made = fact(kind, name, String(item), step, place)
      facts.push(typeof item === 'string' ? made : { ...made, offset: null })
    }
  }
}

/** Entries of a ConfigMap are files, often scripts; entries of a Secret are secrets, base64 under `data`. */
function visitData(
  facts: Fact[],
  value: Record<string, unknown>,
  pointer: string,
  place: Place,
  secret: string | null,
): void {
  for (const [name, item] of Object.entries(value)) {
    if (typeof item !== 'string') continue
    const step = pointer + pointerStep(name)
    if (secret !== null) {
      const text = secret === 'data' ? Buffer.from(item, 'base64').toString('utf8') : item
      const made = fact('env', isSecretName(name) ? name : `secret.${name}`, text, step, place)
      facts.push(secret === 'data' ? { ...made, offset: null } : made)
    } else if (/\.(?:sh|bash)$/.test(name) || /^#!/.test(item)) facts.push(commandFact(name, item, step, place))
    else facts.push(fact(isSecretName(name) ? 'env' : 'manifest', name, item, step, place))
  }
}

function visitManifest(facts: Fact[], key: string, value: unknown, pointer: string, place: Place): void {
  const inside = { ...place, inManifest: true, language: 'shell' as const }
  if (typeof value === 'string') {
    // A manifest in a text: what is found in it is placed at the text.
    const parts = value.split(/^---\s*$/m, MOST_DOCUMENTS + 1)
    if (parts.length > MOST_DOCUMENTS) facts.push({ ...fact('manifest', UNREAD, '', pointer, inside), offset: null })
    for (const part of parts.slice(0, MOST_DOCUMENTS)) {
      const parsed = parseDocument(Buffer.from(part), {})
      const found: Fact[] = []
      if (parsed.ok) visitObject(found, parsed.value, '', inside)
      else if (part.trim() !== '') found.push(fact('manifest', key, part, '', inside))
      facts.push(...found.map((item) => ({ ...item, pointer, path: item.pointer, offset: null })))
    }
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => {
      visitManifest(facts, key, item, pointer + pointerStep(index), place)
    })
  } else visitObject(facts, value, pointer, inside)
}

/** A command, and the values of the manifests that it brings itself. */
function pushCommand(facts: Fact[], made: Fact, place: Place): void {
  facts.push(made)
  if (place.inManifest) return
  for (const text of appliedTexts(made.pipelines)) visitManifest(facts, 'manifest', text, made.pointer, place)
}

function commandFact(name: string, text: string, pointer: string, place: Place): Fact {
  const read = normalised(text).replaceAll('\r\n', '\n')
  const language = languageFromHead(read) ?? place.language
  const base = fact('command', name, text, pointer, place)
  if (read.length !== text.length) base.offset = null
  if (language !== 'shell') {
    const bare = withoutComments(read, language)
    const plain: InlineCode[] = [{ language, text: bare, within: null }]
    const code = understood([...plain, ...decodedLiterals(plain)])
    return { ...base, bare, code, pipelines: embeddedPipelines(code) }
  }
  const comments: TextRange[] = []
  const pipelines = allPipelines(parseShell(read, 0, comments))
  const inline = pipelines
    .flat()
    .flatMap((command) => inlineCode(command).filter((item) => item.language !== 'shell'))
    .map((item) => ({ ...item, text: withoutComments(item.text, item.language) }))
  const code = understood([...inline, ...decodedLiterals(inline)])
  return { ...base, bare: blanked(read, comments), code, pipelines: [...pipelines, ...embeddedPipelines(code)] }
}

function blanked(text: string, ranges: readonly TextRange[]): string {
  let at = 0
  let bare = ''
  for (const { start, end } of ranges) {
    bare += text.slice(at, start) + ' '.repeat(end - start)
    at = end
  }
  return bare + text.slice(at)
}

function languageFromHead(text: string): Language | null {
  const head = /^\s*#!\s*(\S+)(?:\s+(?:-S\s+)?(\S+))?/.exec(text)
  if (head === null) return null
  const program = head[1]?.endsWith('/env') ? head[2] : head[1]
  return languageOf(program ?? '') ?? 'other'
}

const fact = (kind: FactKind, name: string, text: string, pointer: string, place: Place): Fact => ({
  pointer,
  path: pointer,
  kind,
  name,
  text,
  area: place.area,
  handler: place.handler,
  bare: text,
  offset: 0,
  pipelines: [],
  code: [],
})
