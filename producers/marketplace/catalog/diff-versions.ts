import { readArtifact } from '../../../platform/artifacts.ts'
import type { Tx } from '../../../platform/db.ts'
import { parseDocument } from '../../../platform/document.ts'
import { httpError } from '../../../platform/http/errors.ts'
import type { VersionRow } from '../version-row.ts'
import { type Diff, diffDocuments } from './diff.ts'

type End = Pick<VersionRow, 'id' | 'name' | 'version' | 'digest'>

/** What changed from one stored version to another, YAML or JSON alike. The transaction must see both. */
export async function diffVersions(tx: Tx, from: VersionRow, to: VersionRow): Promise<{ from: End; to: End } & Diff> {
  const older = await documentOf(tx, from)
  const newer = await documentOf(tx, to)
  return { from: endOf(from), to: endOf(to), ...diffDocuments(older, newer) }
}

const endOf = ({ id, name, version, digest }: VersionRow): End => ({ id, name, version, digest })

async function documentOf(tx: Tx, { org, digest, media_type }: VersionRow): Promise<unknown> {
  const bytes = await readArtifact(tx, org, digest)
  if (!bytes) throw httpError('not_found', 'no package version with this id')
  const parsed = parseDocument(bytes, {}, media_type)
  if (!parsed.ok) throw new Error(`stored package ${digest} cannot be read: ${parsed.detail}`)
  return parsed.value
}
