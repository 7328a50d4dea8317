import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { inclusionPath, leafHash, merkleRoot, rootOf, rootOfPath } from '../../platform/merkle.ts'
import { holds } from '../support/property.ts'

const sha = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const leaf = (data: Uint8Array) => sha(Uint8Array.of(0), data)
const node = (left: Uint8Array, right: Uint8Array) => sha(Uint8Array.of(1), left, right)

/** RFC 6962 section 2.1 word for word: split at the largest power of two below n, and recurse. */
function definition(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha()
  if (leaves.length === 1) return leaf(leaves[0] as Uint8Array)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return node(definition(leaves.slice(0, k)), definition(leaves.slice(k)))
}

/** The leaves of the test data that certificate transparency logs publish roots for. */
const published = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => Buffer.from(hex, 'hex'))

describe('platform/merkle', () => {
  it('has the published roots of the certificate transparency test tree', () => {
    expect(merkleRoot([])).to.equal('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    const roots: [number, string][] = [
      [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
      [2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
      [3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
      [7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
      [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
    ]
    for (const [count, root] of roots) expect(merkleRoot(published.slice(0, count)), `${count} leaves`).to.equal(root)
  })

  it('is the tree of RFC 6962 for any number of leaves', () => {
    const leaves = Array.from({ length: 70 }, (_, index) => Buffer.from(`leaf ${index}`))
    for (let count = 0; count <= leaves.length; count++)
      expect(merkleRoot(leaves.slice(0, count)), `${count} leaves`).to.equal(
        definition(leaves.slice(0, count)).toString('hex'),
      )
  })

  it('never takes a node for a leaf', () => {
    const [a, b] = [Buffer.from('a'), Buffer.from('b')]
    expect(merkleRoot([Buffer.concat([leaf(a), leaf(b)])])).to.not.equal(merkleRoot([a, b]))
  })

  it('has the published inclusion paths of the certificate transparency test tree', () => {
    const source = new URL('../sdk/proof-vectors.json', import.meta.url)
    const { merkle } = JSON.parse(readFileSync(source, 'utf8')) as {
      merkle: { roots: string[]; paths: { place: number; size: number; path: string[] }[] }
    }
    for (const { place, size, path } of merkle.paths) {
      const leaves = published.slice(0, size).map(leafHash)
      expect(inclusionPath(leaves, place).map(hex), `leaf ${place} of ${size}`).to.deep.equal(path)
      expect(hex(rootOf(leaves))).to.equal(merkle.roots[size - 1])
    }
  })

  it('leads from any leaf of any tree to its root, and from nothing else', () =>
    holds(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (size, of, other, at, change) => {
          const leaves = Array.from({ length: size }, (_, index) => leafHash(`leaf ${index}`))
          const root = hex(rootOf(leaves))
          const place = of % size
          const leaf = leaves[place] as Buffer
          const path = inclusionPath(leaves, place)
          const comesTo = (leaf: Buffer, place: number, path: Buffer[]) => {
            const found = rootOfPath(leaf, place, size, path)
            return found !== null && hex(found) === root
          }
          expect(comesTo(leaf, place, path)).to.equal(true)
          expect(comesTo(leaf, other % size, path)).to.equal(other % size === place)
          expect(comesTo(leafHash('other'), place, path)).to.equal(false)
          expect(comesTo(leaf, place, [...path, leaf])).to.equal(false)
          expect(comesTo(leaf, place, path.slice(1))).to.equal(path.length === 0)
          const wrong = path.map((one) => Buffer.from(one))
          const changed = wrong[at % (path.length || 1)]
          if (changed) changed[at % 32] = (changed[at % 32] as number) ^ change
          expect(comesTo(leaf, place, wrong)).to.equal(path.length === 0)
        },
      ),
      500,
    ))

  it('has no path for a place outside the tree', () => {
    const leaves = [leafHash('a'), leafHash('b')]
    for (const place of [-1, 2, 0.5]) expect(() => inclusionPath(leaves, place)).to.throw(RangeError)
    for (const place of [-1, 2, 0.5]) expect(rootOfPath(leafHash('a'), place, 2, [leafHash('b')])).to.equal(null)
    expect(rootOfPath(leafHash('a'), 0, 0, [])).to.equal(null)
  })
})

const hex = (bytes: Buffer) => bytes.toString('hex')
