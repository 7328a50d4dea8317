import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { merkleRoot } from '../../platform/merkle.ts'

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
})
