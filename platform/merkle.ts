import { createHash } from 'node:crypto'

/** Leaves and nodes hash under different prefixes (RFC 6962 section 2.1), so a node can never pass as a leaf. */
const hash = (prefix: number, ...parts: Uint8Array[]): Buffer => {
  const sum = createHash('sha256').update(Uint8Array.of(prefix))
  for (const part of parts) sum.update(part)
  return sum.digest()
}

/** The Merkle tree hash of RFC 6962 over the leaves in order, as hex; of no leaves, the hash of nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): string {
  if (leaves.length === 0) return createHash('sha256').digest('hex')
  let level = leaves.map((leaf) => hash(0, leaf))
  while (level.length > 1) {
    const next: Buffer[] = []
    for (let i = 0; i < level.length; i += 2) {
      const right = level[i + 1]
      next.push(right ? hash(1, level[i] as Buffer, right) : (level[i] as Buffer))
    }
    level = next
  }
  return (level[0] as Buffer).toString('hex')
}
