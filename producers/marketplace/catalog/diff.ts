import { pointerStep } from '../../../platform/document-problem.ts'

/**
 * One difference between two documents. `pointer` (RFC 6901) is a place in the newer document, of `remove` in the older.
 * `move` says that an element of a list, changed or not, stood at `from_pointer` of the older document. `omitted`: the
 * values were too large to show.
 */
export type Change =
  | { op: 'add'; pointer: string; to?: unknown; omitted?: true }
  | { op: 'remove'; pointer: string; from?: unknown; omitted?: true }
  | { op: 'replace'; pointer: string; from?: unknown; to?: unknown; omitted?: true }
  | { op: 'move'; pointer: string; from_pointer: string }
export type Diff = { changes: Change[]; truncated: boolean }
export type DiffLimits = {
  /** Changes shown at most. */
  changes: number
  /** Characters of the values shown, as JSON, at most. */
  characters: number
}

/** More than anybody reads, and less than 300 kB on the wire. */
export const DIFF_LIMITS: DiffLimits = { changes: 1_000, characters: 250_000 }
/** Comparing lists pair by pair costs their product; beyond this they are compared place by place. */
const MAX_PAIRS = 250_000

type Place = { from: string; to: string }
type Pairs = { from: number; to: number }[]

/**
 * What changed between two documents (JSON values): lists of objects by `id` or `name` where every element has one of
 * its own, other lists by their longest common part. Ends early and says `truncated` when there is more than `limits`.
 */
export function diffDocuments(from: unknown, to: unknown, limits: DiffLimits = DIFF_LIMITS): Diff {
  const changes: Change[] = []
  const number = numbering()
  let truncated = false
  let characters = 0

  function note(change: Change): void {
    if (changes.length === limits.changes) {
      truncated = true
      return
    }
    if (change.op === 'move') {
      changes.push(change)
      return
    }
    const size = ('from' in change ? sizeOf(change.from) : 0) + ('to' in change ? sizeOf(change.to) : 0)
    if (characters + size <= limits.characters) {
      characters += size
      changes.push(change)
    } else {
      truncated = true
      changes.push({ op: change.op, pointer: change.pointer, omitted: true })
    }
  }

  function compare(a: unknown, b: unknown, at: Place): void {
    if (changes.length === limits.changes && truncated) return
    if (number(a) === number(b)) return
    if (Array.isArray(a) && Array.isArray(b)) compareLists(a, b, at)
    else if (isObject(a) && isObject(b)) compareObjects(a, b, at)
    else note({ op: 'replace', pointer: at.to, from: a, to: b })
  }

  function compareObjects(a: Record<string, unknown>, b: Record<string, unknown>, at: Place): void {
    for (const [key, value] of Object.entries(a))
      if (Object.hasOwn(b, key)) compare(value, b[key], below(at, key, key))
      else note({ op: 'remove', pointer: at.from + pointerStep(key), from: value })
    for (const [key, value] of Object.entries(b))
      if (!Object.hasOwn(a, key)) note({ op: 'add', pointer: at.to + pointerStep(key), to: value })
  }

  function compareLists(a: readonly unknown[], b: readonly unknown[], at: Place): void {
    const keyed = pairsByKey(a, b)
    const pairs = keyed ?? pairsByOrder(a.map(number), b.map(number))
    const kept = new Set(pairs.map((pair) => pair.from))
    const met = new Set(pairs.map((pair) => pair.to))
    for (const [i, value] of a.entries())
      if (!kept.has(i)) note({ op: 'remove', pointer: at.from + pointerStep(i), from: value })
    for (const [j, value] of b.entries())
      if (!met.has(j)) note({ op: 'add', pointer: at.to + pointerStep(j), to: value })
    const still = keyed ? inOrder(pairs) : met
    for (const pair of pairs) {
      const place = below(at, pair.from, pair.to)
      if (!still.has(pair.to)) note({ op: 'move', pointer: place.to, from_pointer: place.from })
      compare(a[pair.from], b[pair.to], place)
    }
  }

  compare(from, to, { from: '', to: '' })
  return { changes, truncated }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const below = (at: Place, from: string | number, to: string | number): Place => ({
  from: at.from + pointerStep(from),
  to: at.to + pointerStep(to),
})

const sizeOf = (value: unknown): number => JSON.stringify(value).length

/** Numbers values so that equal ones, and no others, get the same: each is looked at once, however deep it lies. */
function numbering(): (value: unknown) => number {
  const numbers = new Map<string, number>()
  const known = new WeakMap<object, number>()

  function numberOf(value: unknown): number {
    if (typeof value !== 'object' || value === null) return numbered(JSON.stringify(value))
    const found = known.get(value) ?? numbered(Array.isArray(value) ? `[${value.map(numberOf)}` : members(value))
    known.set(value, found)
    return found
  }
  const members = (value: object) =>
    `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}:${numberOf(member)}`)
      .sort()}`
  function numbered(spelling: string): number {
    const number = numbers.get(spelling) ?? numbers.size
    numbers.set(spelling, number)
    return number
  }
  return numberOf
}

/** Pairs of elements that say they are the same by `id` or `name`; null when the lists are not of such elements. */
function pairsByKey(a: readonly unknown[], b: readonly unknown[]): Pairs | null {
  for (const key of ['id', 'name']) {
    const before = placesByKey(a, key)
    const after = placesByKey(b, key)
    if (!before || !after) continue
    const pairs: Pairs = []
    for (const [value, to] of after) {
      const from = before.get(value)
      if (from !== undefined) pairs.push({ from, to })
    }
    return pairs
  }
  return null
}

function placesByKey(list: readonly unknown[], key: string): Map<string, number> | null {
  const places = new Map<string, number>()
  for (const [i, element] of list.entries()) {
    const value = isObject(element) && Object.hasOwn(element, key) ? element[key] : undefined
    if (typeof value !== 'string' || places.has(value)) return null
    places.set(value, i)
  }
  return places
}

/** Pairs in the order of both lists: the longest common part, and between its elements place by place. */
function pairsByOrder(a: readonly number[], b: readonly number[]): Pairs {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1
  const anchors: Pairs = []
  for (let i = 0; i < head; i += 1) anchors.push({ from: i, to: i })
  for (const { from, to } of longestCommon(a.slice(head, a.length - tail), b.slice(head, b.length - tail)))
    anchors.push({ from: head + from, to: head + to })
  for (let i = tail; i > 0; i -= 1) anchors.push({ from: a.length - i, to: b.length - i })
  const pairs: Pairs = []
  let next = { from: 0, to: 0 }
  for (const anchor of [...anchors, { from: a.length, to: b.length }]) {
    for (let { from, to } = next; from < anchor.from && to < anchor.to; from += 1, to += 1) pairs.push({ from, to })
    if (anchor.from < a.length) pairs.push(anchor)
    next = { from: anchor.from + 1, to: anchor.to + 1 }
  }
  return pairs
}

function longestCommon(a: readonly number[], b: readonly number[]): Pairs {
  const width = b.length + 1
  if (a.length * b.length === 0 || a.length * b.length > MAX_PAIRS) return []
  const lengths = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const pairs: Pairs = []
  for (let i = 0, j = 0; i < a.length && j < b.length; )
    if (a[i] === b[j]) pairs.push({ from: i++, to: j++ })
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1
    else j += 1
  return pairs
}

/** The places (in the newer list) of the most elements that kept their order: what is not here has moved. */
function inOrder(pairs: Pairs): Set<number> {
  const ends: number[] = []
  const before = new Map<number, number>()
  for (const [i, { from }] of pairs.entries()) {
    let low = 0
    for (let high = ends.length; low < high; ) {
      const middle = (low + high) >> 1
      if ((pairs[ends[middle] ?? 0]?.from ?? 0) < from) low = middle + 1
      else high = middle
    }
    const previous = ends[low - 1]
    if (previous !== undefined) before.set(i, previous)
    ends[low] = i
  }
  const still = new Set<number>()
  for (let i = ends.at(-1); i !== undefined; i = before.get(i)) still.add(pairs[i]?.to ?? 0)
  return still
}
