import { expect } from 'chai'
import fc from 'fast-check'
import { type Change, diffDocuments } from '../../../../producers/marketplace/catalog/diff.ts'
import { holds } from '../../../support/property.ts'

describe('producers/marketplace/catalog: differences of two documents', () => {
  const wpk = (handlers: object[], more: object = {}) => ({ metadata: { name: 'a' }, spec: { handlers, ...more } })
  const one = { name: 'one', type: 'shell', config: { command: 'echo 1' } }
  const two = { name: 'two', type: 'shell', config: { command: 'echo 2' } }
  const changesOf = (from: unknown, to: unknown) => diffDocuments(from, to).changes

  it('points at what was added, removed and replaced', () => {
    const from = wpk([one], { 'a/b': 1, gone: true })
    const to = wpk([one], { 'a/b': 2, new: [1] })
    expect(changesOf(from, to)).to.deep.equal([
      { op: 'replace', pointer: '/spec/a~1b', from: 1, to: 2 },
      { op: 'remove', pointer: '/spec/gone', from: true },
      { op: 'add', pointer: '/spec/new', to: [1] },
    ])
  })

  it('knows a handler by its name wherever it stands', () => {
    const changed = { ...two, config: { command: 'echo 3' } }
    expect(changesOf(wpk([one, two]), wpk([{ name: 'zero' }, one, changed]))).to.deep.equal([
      { op: 'add', pointer: '/spec/handlers/0', to: { name: 'zero' } },
      { op: 'replace', pointer: '/spec/handlers/2/config/command', from: 'echo 2', to: 'echo 3' },
    ])
    expect(changesOf(wpk([one, two]), wpk([two, one]))).to.deep.equal([
      { op: 'move', pointer: '/spec/handlers/0', from_pointer: '/spec/handlers/1' },
    ])
  })

  it('shows one more permission as one change, wherever it was put', () => {
    expect(changesOf(['get pods', 'list pods'], ['delete pods', 'get pods', 'list pods'])).to.deep.equal([
      { op: 'add', pointer: '/0', to: 'delete pods' },
    ])
  })

  it('finds nothing between documents that differ in the order of members only', () => {
    expect(diffDocuments({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 })).to.deep.equal({
      changes: [],
      truncated: false,
    })
  })

  it('says when there is more than it shows', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, i]))
    const some = diffDocuments({}, many, { changes: 10, characters: 1_000 })
    expect([some.changes.length, some.truncated]).to.deep.equal([10, true])
    expect(diffDocuments({}, many, { changes: 30, characters: 1_000 }).truncated).to.equal(false)
    expect(diffDocuments({ a: '' }, { a: 'x'.repeat(100), b: 1 }, { changes: 10, characters: 50 })).to.deep.equal({
      changes: [
        { op: 'replace', pointer: '/a', omitted: true },
        { op: 'add', pointer: '/b', to: 1 },
      ],
      truncated: true,
    })
  })

  it('is done with the largest lists in less than the time of a request', () => {
    const list = (seed: number) => Array.from({ length: 19_000 }, (_, i) => (i * seed) % 7_919)
    const began = process.cpuUsage()
    diffDocuments(list(3), list(5))
    expect(process.cpuUsage(began).user / 1000).to.be.below(250)
  })

  describe('applied to the older document gives the newer', () => {
    const scalar = fc.oneof(fc.constantFrom(0, 1, 2, null, true, ''), fc.string({ maxLength: 3 }))
    const key = fc.constantFrom('a', 'b', 'c/d', 'e~f', 'id', 'name')
    const { document } = fc.letrec<{ document: unknown }>((tie) => ({
      document: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        scalar,
        fc.array(tie('document'), { maxLength: 5 }),
        fc.dictionary(key, tie('document'), { maxKeys: 4, noNullPrototype: true }),
        fc.uniqueArray(fc.record({ name: fc.constantFrom('p', 'q', 'r', 's', 't'), config: tie('document') }), {
          selector: ({ name }) => name,
          maxLength: 5,
        }),
      ),
    }))
    const everything = { changes: Number.POSITIVE_INFINITY, characters: Number.POSITIVE_INFINITY }

    it('for documents of any shape', () =>
      holds(
        fc.property(document, document, (from, to) => {
          expect(applied(from, diffDocuments(from, to, everything).changes)).to.deep.equal(to)
        }),
        1_000,
      ))

    it('for lists of handlers in any order', () => {
      const handlers = fc.uniqueArray(fc.record({ name: fc.nat(12).map(String), timeout: fc.nat(2) }), {
        selector: ({ name }) => name,
        maxLength: 12,
      })
      return holds(
        fc.property(handlers, handlers, (from, to) => {
          const { changes } = diffDocuments(from, to, everything)
          expect(applied(from, changes)).to.deep.equal(to)
          expect(changes.length).to.be.at.most(from.length + to.length)
        }),
        1_000,
      )
    })
  })
})

/** Builds the newer document from the older one and the changes alone, as their description says. */
function applied(document: unknown, changes: readonly Change[]): unknown {
  const at = (op: Change['op']) => new Map(changes.filter((c) => c.op === op).map((c) => [c.pointer, c]))
  const added = at('add')
  const removed = at('remove')
  const replaced = at('replace')
  const movedFrom = new Map(changes.flatMap((c) => (c.op === 'move' ? [[c.from_pointer, c.pointer] as const] : [])))
  const step = (key: string | number) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
  const newValue = (change: Change | undefined) => (change && 'to' in change ? change.to : undefined)

  function build(value: unknown, from: string, to: string): unknown {
    if (replaced.has(to)) return newValue(replaced.get(to))
    if (Array.isArray(value)) return buildList(value, from, to)
    if (typeof value !== 'object' || value === null) return value
    const kept = Object.entries(value).filter(([key]) => !removed.has(from + step(key)))
    const members = kept.map(([key, one]) => [key, build(one, from + step(key), to + step(key))])
    const depth = to.split('/').length
    const news = [...added.keys()].filter((p) => p.startsWith(`${to}/`) && p.split('/').length === depth + 1)
    const name = (p: string) =>
      p
        .slice(to.length + 1)
        .replaceAll('~1', '/')
        .replaceAll('~0', '~')
    return Object.fromEntries([...members, ...news.map((p) => [name(p), newValue(added.get(p))])])
  }

  function buildList(list: readonly unknown[], from: string, to: string): unknown[] {
    const result: unknown[] = []
    const settled = new Set<number>()
    const staying: number[] = []
    for (const i of list.keys()) {
      if (removed.has(from + step(i))) continue
      const target = movedFrom.get(from + step(i))
      if (target === undefined) staying.push(i)
      else {
        const j = Number(target.slice(to.length + 1))
        result[j] = build(list[i], from + step(i), target)
        settled.add(j)
      }
    }
    for (let j = 0; staying.length > 0 || settled.has(j) || added.has(to + step(j)); j += 1) {
      if (settled.has(j)) continue
      if (added.has(to + step(j))) result[j] = newValue(added.get(to + step(j)))
      else {
        const i = staying.shift() as number
        result[j] = build(list[i], from + step(i), to + step(j))
      }
    }
    return result
  }

  return build(document, '', '')
}
