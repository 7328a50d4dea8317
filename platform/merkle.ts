import { hash } from 'node:crypto'

/*
 * The Merkle tree of RFC 6962 section 2.1 over SHA-256. Leaves and nodes hash under different prefixes, so a node can
 * never pass as a leaf. A root says nothing of how many leaves are under it: whoever checks a path must know the size
 * from elsewhere.
 */

const LEAF = Uint8Array.of(0)
const NODE = 1

/** The hash of a leaf; text is taken as UTF-8. */
export const leafHash = (leaf: string | Uint8Array): Buffer =>
  hash('sha256', typeof leaf === 'string' ? `\0${leaf}` : Buffer.concat([LEAF, leaf]), 'buffer')

const scratch = Buffer.of(NODE, ...new Uint8Array(64))
const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => {
  scratch.set(left, 1)
  scratch.set(right, 33)
  return hash('sha256', scratch, 'buffer')
}

/** The root over hashes of leaves in order; over none, the hash of nothing. */
export function rootOf(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return hash('sha256', '', 'buffer')
  let level = leaves
  while (level.length > 1) level = parents(level)
  return Buffer.from(level[0] as Uint8Array)
}

/** The root over leaves in order, as hex. */
export const merkleRoot = (leaves: readonly (string | Uint8Array)[]): string =>
  rootOf(leaves.map(leafHash)).toString('hex')

/** What a leaf has to be hashed with to come to the root, nearest first: RFC 6962 section 2.1.1. */
export function inclusionPath(leaves: readonly Uint8Array[], place: number): Buffer[] {
  if (!Number.isInteger(place) || place < 0 || place >= leaves.length)
    throw new RangeError(`no leaf ${place} among ${leaves.length}`)
  const path: Buffer[] = []
  let level = leaves
  for (let at = place; level.length > 1; at >>= 1) {
    const sibling = level[at ^ 1]
    if (sibling) path.push(Buffer.from(sibling))
    level = parents(level)
  }
  return path
}

/** A level's last node without a sibling goes up as it is. */
function parents(level: readonly Uint8Array[]): Uint8Array[] {
  const next: Uint8Array[] = []
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = [level[at] as Uint8Array, level[at + 1]]
    next.push(right ? nodeHash(left, right) : left)
  }
  return next
}

/** The root that a leaf's path leads to in a tree of `size`, or null where no such path exists: RFC 9162 2.1.3.2. */
export function rootOfPath(leaf: Uint8Array, place: number, size: number, path: readonly Uint8Array[]): Buffer | null {
  if (!Number.isInteger(place) || !Number.isInteger(size) || place < 0 || place >= size) return null
  let at = place
  let last = size - 1
  let root: Buffer = Buffer.from(leaf)
  for (const sibling of path) {
    if (last === 0) return null
    if (at % 2 === 1 || at === last) {
      root = nodeHash(sibling, root)
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
    } else root = nodeHash(root, sibling)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return last === 0 ? root : null
}
