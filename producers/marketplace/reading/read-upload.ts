import { parseDocument } from '../../../platform/document.ts'
import { AppError } from '../../../platform/errors.ts'
import { type PlainError, plainError } from '../../../platform/threads/serve-jobs.ts'
import { type Wpk, wpkProblems } from '../../../schemas/wpk.ts'
import { marketplaceError } from '../errors.ts'
import { MAX_WPK_BYTES, readBody, type SentBody, type Upload } from './upload-body.ts'

/** What the registry keeps of a document beside its bytes. */
export type ReadWpk = {
  format: string
  name: string
  version: string
  description: string
  tags: string[]
  mode: 'manual' | 'auto'
}
/** The document comes with the upload or with why it is none: that is said only to who signed it. */
export type ReadUpload = Upload & { wpk: ReadWpk | { refused: PlainError } }

/** Reads the body of an upload and the document in it. Throws what `readBody` throws. */
export async function readUpload(sent: SentBody): Promise<ReadUpload> {
  const upload = await readBody(sent)
  try {
    return { ...upload, wpk: readWpk(upload.bytes, upload.mediaType) }
  } catch (error) {
    if (error instanceof AppError) return { ...upload, wpk: { refused: plainError(error) } }
    throw error
  }
}

function readWpk(bytes: Uint8Array, mediaType: string | undefined): ReadWpk {
  const parsed = parseDocument(bytes, { maxBytes: MAX_WPK_BYTES }, mediaType)
  if (!parsed.ok) {
    const { pointer, code, detail } = parsed
    throw marketplaceError('wpk_malformed', detail, { errors: [{ pointer, code, detail }] })
  }
  const errors = wpkProblems(parsed.value)
  const first = errors[0]
  if (first) throw marketplaceError('wpk_malformed', `${first.pointer || 'the document'} ${first.detail}`, { errors })
  const { metadata, spec } = parsed.value as Wpk
  const { name, version, description = '', tags = [] } = metadata
  // A package that does not say it waits for a person is judged as one that does not.
  return { format: parsed.format, name, version, description, tags, mode: spec.safety?.mode ?? 'auto' }
}
