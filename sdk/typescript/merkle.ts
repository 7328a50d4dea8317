import { createHash } from 'node:crypto'

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part)
  return sum.digest()
}

/** The hash of a leaf: RFC 6962 section 2.1. */
export const leafHash = (leaf: Uint8Array): Buffer => sha256(Uint8Array.of(0), leaf)

/** The root that a leaf's path leads to in a tree of `size` leaves, or null: RFC 9162 section 2.1.3.2. */
export function rootOfPath(leaf: Uint8Array, place: number, size: number, path: readonly Uint8Array[]): Buffer | null {
  if (!Number.isInteger(place) || !Number.isInteger(size) || place < 0 || place >= size) return null
  let [at, last] = [place, size - 1]
  let root = Buffer.from(leaf)
  for (const sibling of path) {
    if (last === 0) return null
    const isRight = at % 2 === 1 || at === last
    root = Buffer.from(isRight ? node(sibling, root) : node(root, sibling))
    // A node without a sibling went up as it was.
    if (isRight) while (at % 2 === 0 && at !== 0) [at, last] = up(at, last)
    ;[at, last] = up(at, last)
  }
  return last === 0 ? root : null
}

const node = (left: Uint8Array, right: Uint8Array): Buffer => sha256(Uint8Array.of(1), left, right)
const up = (at: number, last: number): [number, number] => [Math.floor(at / 2), Math.floor(last / 2)]
