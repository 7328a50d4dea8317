import { createHash } from 'node:crypto'
import { execute, row, type Tx } from './db.ts'

export const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Stores bytes under the hash of themselves, once per organisation. Returns the digest. */
export async function storeArtifact(tx: Tx, org: string, bytes: Uint8Array, now: Date): Promise<string> {
  const digest = digestOf(bytes)
  await execute(
    tx,
    'insert into platform.artifacts (org, digest, bytes, stored_at) values (?, ?, ?, ?) on conflict do nothing',
    [org, digest, Buffer.from(bytes), now],
  )
  return digest
}

/** The exact bytes, checked against their digest again; null when the scope does not see them. */
export async function readArtifact(tx: Tx, org: string, digest: string): Promise<Buffer | null> {
  const found = await row<{ bytes: Buffer }>(tx, 'select bytes from platform.artifacts where org = ? and digest = ?', [
    org,
    digest,
  ])
  if (!found) return null
  if (digestOf(found.bytes) !== digest) throw new Error(`stored bytes of ${digest} have changed`)
  return found.bytes
}
