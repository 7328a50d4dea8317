import { Type } from '@sinclair/typebox'
import { parseJson } from '../../../platform/document.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { jsonBody } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed } from '../../../schemas/envelope.ts'
import { Visibility } from '../catalog/visibility.ts'
import { marketplaceError } from '../errors.ts'
import { MAX_BUNDLE_BYTES } from '../trust/bundle-shape.ts'
import { strictBase64 } from '../trust/strict-base64.ts'
import type { Signed } from '../trust/verify-signature.ts'

export const MAX_WPK_BYTES = 1_000_000
/** Room for base64 or escapes around a package of the largest size, and its bundle. */
export const MAX_UPLOAD_BYTES = 2_500_000

const UploadBody = closed({
  content: Type.String(),
  content_encoding: Type.Optional(Type.Union([Type.Literal('utf8'), Type.Literal('base64')])),
  media_type: Type.Optional(Type.Union([Type.Literal('application/json'), Type.Literal('application/yaml')])),
  bundle: Type.Optional(Type.Unknown()),
  signature: Type.Optional(Type.String({ maxLength: 16_384 })),
  key_id: Type.Optional(Type.String({ maxLength: 128 })),
  visibility: Type.Optional(Visibility),
})

export type SentBody = { bytes: Uint8Array; contentType: string }
export type Upload = {
  bytes: Uint8Array
  mediaType: string | undefined
  signed: Signed
  visibility: Visibility | undefined
}

/** The package's exact bytes and what was sent beside them, from JSON or multipart. */
export async function readBody(sent: SentBody): Promise<Upload> {
  const upload = /^multipart\/form-data\b/i.test(sent.contentType) ? await readMultipart(sent) : readJson(sent)
  if (upload.bytes.length > MAX_WPK_BYTES)
    throw marketplaceError(
      'wpk_too_large',
      `a package has at most ${MAX_WPK_BYTES} bytes, this one ${upload.bytes.length}`,
    )
  const bundle = upload.signed.bundle === undefined ? '' : JSON.stringify(upload.signed.bundle)
  if (Buffer.byteLength(bundle) > MAX_BUNDLE_BYTES)
    throw marketplaceError('bundle_too_large', `a bundle has at most ${MAX_BUNDLE_BYTES} bytes`)
  return upload
}

function readJson(sent: SentBody): Upload {
  const body = checked(UploadBody, jsonBody(sent, { maxBytes: MAX_UPLOAD_BYTES }))
  const { content, content_encoding, media_type, bundle, signature, key_id, visibility } = body
  const bytes = content_encoding === 'base64' ? decodeContent(content) : Buffer.from(content, 'utf8')
  return { bytes, mediaType: media_type, signed: signedOf(bundle, signature, key_id), visibility }
}

function decodeContent(content: string): Buffer {
  const bytes = content === '' ? Buffer.alloc(0) : strictBase64(content)
  if (bytes) return bytes
  throw marketplaceError('content_malformed', 'content is not base64', {
    errors: [{ pointer: '/content', code: 'not_base64', detail: 'must be base64 without line breaks' }],
  })
}

async function readMultipart(sent: SentBody): Promise<Upload> {
  const form = await formOf(sent)
  const wpk = form.get('wpk')
  if (wpk === null) throw httpError('body_malformed', 'the form needs a part named `wpk`')
  const text = async (name: string) => {
    const part = form.get(name)
    return part === null ? undefined : typeof part === 'string' ? part : part.text()
  }
  const bytes = typeof wpk === 'string' ? Buffer.from(wpk, 'utf8') : Buffer.from(await wpk.arrayBuffer())
  const bundle = await text('bundle')
  const visibility = await text('visibility')
  return {
    bytes,
    mediaType: undefined,
    visibility: visibility === undefined ? undefined : checked(Visibility, visibility),
    signed: signedOf(
      bundle === undefined ? undefined : parseBundle(bundle),
      await text('signature'),
      await text('key_id'),
    ),
  }
}

async function formOf({ bytes, contentType }: SentBody): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(bytes), { headers: { 'content-type': contentType } }).formData()
  } catch (cause) {
    throw httpError('body_malformed', 'the multipart body cannot be read', { cause })
  }
}

function parseBundle(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_BUNDLE_BYTES)
    throw marketplaceError('bundle_too_large', `a bundle has at most ${MAX_BUNDLE_BYTES} bytes`)
  const parsed = parseJson(Buffer.from(text))
  if (parsed.ok) return parsed.value
  const { pointer, code, detail } = parsed
  throw marketplaceError('bundle_malformed', `the bundle is ${detail}`, { errors: [{ pointer, code, detail }] })
}

const signedOf = (bundle: unknown, signature: string | undefined, keyId: string | undefined): Signed => ({
  ...(bundle === undefined ? {} : { bundle }),
  ...(signature === undefined ? {} : { signature }),
  ...(keyId === undefined ? {} : { keyId }),
})
