import { createHash } from 'node:crypto'
import { canonicalJson } from '../../../platform/canonical-json.ts'

export const CHECKPOINT_TYPE = 'application/vnd.atom.audit-checkpoint+json'

/** One entry as it is hashed. `previous` is the hash of the entry before; of the first, that of nothing. */
export type ChainEntry = {
  seq: number
  at: string
  kind: string
  org: string
  subject: string
  detail: object
  previous: string
}
export type Head = { seq: number; sha256: string }

export const BEGINNING: Head = { seq: 0, sha256: createHash('sha256').digest('hex') }

/** The next entry of the chain in its one spelling, and its hash, which is the head from then on. */
export function linked(head: Head, entry: Omit<ChainEntry, 'seq' | 'previous'>): { entry: string; head: Head } {
  const seq = head.seq + 1
  const text = canonicalJson({ ...entry, seq, previous: head.sha256 })
  return { entry: text, head: { seq, sha256: hashOf(text) } }
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')
