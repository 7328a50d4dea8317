import { readArtifact } from '../../platform/artifacts.ts'
import type { Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, openGet, type Route } from '../../platform/http/route.ts'
import { isUuid } from '../../platform/uuid.ts'
import { type DownloadCounter, downloadsOf } from './catalog/downloads.ts'
import { readerScope } from './catalog/reader.ts'
import { isUnchanged } from './catalog/unchanged.ts'
import type { MarketplaceDeps } from './deps.ts'
import { reading } from './reading/reading.ts'
import { attestationsOf } from './record/attestations.ts'
import type { PlaceOf } from './review/queue.ts'
import { signerOf } from './signers.ts'
import { storedDocument } from './stored-document.ts'
import { detailOf, findVersion, type VersionRow } from './version-row.ts'

/** Reading packages: the public sees what is published, an organisation its own too, operators everything. */
export function packageRoutes(
  deps: MarketplaceDeps,
  downloads: Pick<DownloadCounter, 'count'>,
  placeOf: PlaceOf,
): Route[] {
  const inScope = <T>(call: Call, id: string, read: (version: VersionRow, tx: Tx) => Promise<T> | T) =>
    deps.db.transaction(async (tx) => read(await findVersion(tx, id), tx), { scope: readerScope(call.principal) })

  async function show(call: Call): Promise<Answer> {
    const found = await inScope(call, call.params.id ?? '', async (version, tx) => ({
      version,
      signer: await signerOf(tx, version),
      downloads: await downloadsOf(tx, version, deps.now()),
    }))
    const { version, ...more } = found
    return { status: 200, body: { ...detailOf(version, await placeOf(version)), ...more } }
  }

  async function content(call: Call): Promise<Answer> {
    return deps.db.transaction(
      async (tx) => {
        const version = await findVersion(tx, call.params.id ?? '')
        const headers = { etag: `"${version.digest}"` }
        if (isUnchanged(call.header('if-none-match'), headers.etag)) return { status: 304, headers }
        const bytes = await readArtifact(tx, version.org, version.digest)
        if (!bytes) throw httpError('not_found', 'no package version with this id')
        downloads.count(version)
        return { status: 200, bytes, type: version.media_type, headers }
      },
      { scope: readerScope(call.principal) },
    )
  }

  /** What changed from this version to the one that `to` names; both must be the caller's to see. */
  async function diff(call: Call): Promise<Answer> {
    const to = call.query.get('to')
    if (to === null || !isUuid(to)) throw httpError('parameter_invalid', '`to` is the id of a version')
    const found = await inScope(call, call.params.id ?? '', async (older, tx) => {
      const newer = await findVersion(tx, to)
      return { older, newer, from: await storedDocument(tx, older), to: await storedDocument(tx, newer) }
    })
    const changed = await reading.run('diff', call.principal.org, { from: found.from, to: found.to })
    return { status: 200, body: { from: endOf(found.older), to: endOf(found.newer), ...changed } }
  }

  async function bundle(call: Call): Promise<Answer> {
    return inScope(call, call.params.id ?? '', (version) => {
      const { mediaType } = version.signature
      return { status: 200, body: version.signature, ...(typeof mediaType === 'string' ? { type: mediaType } : {}) }
    })
  }

  async function verdict(call: Call): Promise<Answer> {
    return inScope(call, call.params.id ?? '', async (version, tx) => {
      if (!version.verdict)
        throw httpError('not_found', 'the analyzer has not judged this version yet; its status says when')
      return { status: 200, body: { ...version.verdict, attestations: await attestationsOf(tx, version) } }
    })
  }

  return [
    openGet('/wpk/:id', 'One package version: state, reason, next step', show),
    openGet('/wpk/:id/content', 'The exact bytes of a version', content),
    openGet('/wpk/:id/diff', 'What changed between two versions', diff),
    openGet('/wpk/:id/bundle', 'The signature of a version', bundle),
    openGet('/wpk/:id/verdict', 'What the analyzer said', verdict),
  ]
}

const endOf = ({ id, name, version, digest }: VersionRow) => ({ id, name, version, digest })
