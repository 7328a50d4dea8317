import { parseDocument } from '../../platform/document.ts'
import { pointerStep } from '../../platform/document-problem.ts'
import type { Wpk } from '../../schemas/wpk.ts'

type Fields = Record<string, unknown>
/** One Kubernetes object inside a handler. `inText` when the manifest is a text: places then all point at the text. */
export type Manifest = { kind: string; object: Fields; pointer: string; inText: boolean }
/** A container with its place; `pod` is the pod spec it stands in. */
export type Container = { fields: Fields; pointer: string; pod: Fields; podPointer: string }

export const MAX_MANIFESTS = 500
const MAX_DEPTH = 12
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})

/** Every Kubernetes object of the handlers and rollback handlers, items of lists one by one. */
export function manifestsOf(wpk: Wpk): Manifest[] {
  const found: Manifest[] = []
  wpk.spec.handlers.forEach((item, index) => {
    visit(found, item.config, `/spec/handlers/${index}/config`, false, 0)
  })
  wpk.spec.rollback?.handlers?.forEach((item, index) => {
    visit(found, item.config, `/spec/rollback/handlers/${index}/config`, false, 0)
  })
  return found
}

function visit(found: Manifest[], value: unknown, pointer: string, inText: boolean, depth: number): void {
  if (found.length >= MAX_MANIFESTS || depth > MAX_DEPTH) return
  const step = (key: string | number): string => (inText ? pointer : pointer + pointerStep(key))
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      visit(found, item, step(index), inText, depth + 1)
    })
  } else if (isFields(value)) {
    if (typeof value.kind === 'string' && typeof value.apiVersion === 'string') {
      if (Array.isArray(value.items)) visit(found, value.items, step('items'), inText, depth + 1)
      else found.push({ kind: value.kind, object: value, pointer, inText })
      return
    }
    for (const [key, item] of Object.entries(value)) {
      if (typeof item === 'object' && item !== null) visit(found, item, step(key), inText, depth + 1)
      else if (/^(?:manifests?|template|object)$/.test(key) && typeof item === 'string')
        parts(found, item, pointer + pointerStep(key), depth)
    }
  }
}

/** The objects in a text, placed where the text is. */
export function manifestsInText(text: string, pointer: string): Manifest[] {
  const found: Manifest[] = []
  parts(found, text, pointer, 0)
  return found
}

function parts(found: Manifest[], text: string, pointer: string, depth: number): void {
  for (const part of text.split(/^---\s*$/m, MAX_MANIFESTS)) {
    if (!/^\s*["{]?kind/m.test(part) && !part.includes('"kind"')) continue
    const parsed = parseDocument(Buffer.from(part), {})
    if (parsed.ok) visit(found, parsed.value, pointer, true, depth + 1)
  }
}

/** The containers of an object: of a pod, of the template of a workload, of a cron job's job. */
export function containersOf({ object, pointer, inText }: Manifest): Container[] {
  const found: Container[] = []
  const walk = (value: Fields, at: string, depth: number): void => {
    const step = (...keys: (string | number)[]): string =>
      inText ? at : keys.reduce<string>((path, key) => path + pointerStep(key), at)
    for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
      const items = value[list]
      if (!Array.isArray(items)) continue
      items.forEach((item, index) => {
        if (isFields(item)) found.push({ fields: item, pointer: step(list, index), pod: value, podPointer: at })
      })
    }
    if (depth > 4) return
    for (const key of ['spec', 'template', 'jobTemplate', 'podTemplate'])
      if (isFields(value[key])) walk(value[key], step(key), depth + 1)
  }
  walk(object, pointer, 0)
  return found
}

/** A nested value by its keys, or undefined. */
export const at = (value: unknown, ...keys: string[]): unknown =>
  keys.reduce<unknown>((inner, key) => fieldsOf(inner)[key], value)
