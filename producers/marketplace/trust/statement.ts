import { createHash } from 'node:crypto'
import { parseJson } from '../../../platform/document.ts'
import { marketplaceError } from '../errors.ts'
import { list, malformed, object, oneOf, type Shape, text } from './shape.ts'

const TYPES = ['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1']
const HASHES = ['sha256', 'sha384', 'sha512']
const MAX_SUBJECTS = 64

const anything: Shape = () => {}
const digestShape: Shape = (value, pointer) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length > 8)
    throw malformed(pointer, 'must be an object of at most 8 digests')
  for (const digest of Object.values(value)) text(/^[0-9a-f]{32,256}$/, 'digests in small hex')(digest, pointer)
}
const subject = object(
  { digest: digestShape },
  {
    name: anything,
    uri: anything,
    content: anything,
    downloadLocation: anything,
    mediaType: anything,
    annotations: anything,
  },
)
const statementShape = object(
  { _type: oneOf(TYPES), predicateType: text(/^\S{1,500}$/, 'a URI'), subject: list(subject, 1, MAX_SUBJECTS) },
  { predicate: anything },
)

/**
 * Checks that an in-toto statement is about `bytes`: one subject carries their SHA-256, and what else it carries agrees.
 * The library leaves this to its caller. Throws `bundle_malformed`, or `signature_invalid` for other bytes.
 */
export function checkStatement(payload: Buffer, bytes: Uint8Array): void {
  const at = '/dsseEnvelope/payload'
  const parsed = parseJson(payload)
  if (!parsed.ok) throw malformed(at, `must be an in-toto statement: ${parsed.detail}`)
  statementShape(parsed.value, at)
  const { subject: subjects } = parsed.value as { subject: { digest: Record<string, string> }[] }
  const wanted = new Map(HASHES.map((hash) => [hash, createHash(hash).update(bytes).digest('hex')]))
  const isAboutBytes = subjects.some(
    ({ digest }) =>
      Object.hasOwn(digest, 'sha256') &&
      HASHES.every((hash) => !Object.hasOwn(digest, hash) || digest[hash] === wanted.get(hash)),
  )
  if (isAboutBytes) return
  throw marketplaceError('signature_invalid', 'the statement in the bundle is about other bytes', {
    errors: [{ pointer: at, code: 'subject_mismatch', detail: 'has no subject with the SHA-256 of the content' }],
  })
}
