import { parseDocument } from '../../../platform/document.ts'
import { type Diff, diffDocuments } from './diff.ts'

export type Stored = { bytes: Uint8Array; digest: string; mediaType: string }

/** What changed from one stored document to another, YAML or JSON alike. */
export const diffStored = ({ from, to }: { from: Stored; to: Stored }): Diff =>
  diffDocuments(documentOf(from), documentOf(to))

function documentOf({ bytes, digest, mediaType }: Stored): unknown {
  const parsed = parseDocument(bytes, {}, mediaType)
  if (!parsed.ok) throw new Error(`stored package ${digest} cannot be read: ${parsed.detail}`)
  return parsed.value
}
