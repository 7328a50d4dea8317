import { readArtifact } from '../../platform/artifacts.ts'
import type { Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import type { Stored } from './catalog/diff-stored.ts'
import type { VersionRow } from './version-row.ts'

/** The bytes of a version, as those are handed on that read them elsewhere; throws 404 where the scope does not see them. */
export async function storedDocument(tx: Tx, { org, digest, media_type }: VersionRow): Promise<Stored> {
  const bytes = await readArtifact(tx, org, digest)
  if (!bytes) throw httpError('not_found', 'no package version with this id')
  return { bytes, digest, mediaType: media_type }
}
