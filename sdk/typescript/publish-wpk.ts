import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { UploadAnswer } from './answers.ts'
import { AtomError } from './atom-error.ts'
import type { CallOptions } from './call-options.ts'
import { request } from './request.ts'
import { signatureFor } from './signing.ts'

export interface PublishOptions extends CallOptions {
  /** Path of a PEM private key; default `ATOM_SIGNING_KEY`. A signature beside the file comes first. */
  signingKey?: string | undefined
}

const MEDIA_TYPES: Record<string, string> = {
  '.json': 'application/json',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
}

const UPLOAD_TIMEOUT_MS = 120_000
const UPLOAD_DEADLINE_MS = 600_000

/**
 * Uploads the package at `file` with its signature (see `signatureFor` for where that comes from). Publishing the
 * same bytes again gives the same id. Throws AtomError, e.g. `signature_invalid`, `wpk_malformed`, `version_exists`.
 */
export async function publishWPK(file: string, token: string, options: PublishOptions = {}): Promise<UploadAnswer> {
  const bytes = await readPackage(file)
  const signature = await signatureFor(file, bytes, options.signingKey || process.env.ATOM_SIGNING_KEY)
  const mediaType = MEDIA_TYPES[extname(file).toLowerCase()]
  return request<UploadAnswer>(
    {
      service: 'market',
      method: 'POST',
      path: '/wpk/upload',
      token,
      body: {
        // base64, because a JSON string cannot carry every byte and the signature is over the bytes.
        content: bytes.toString('base64'),
        content_encoding: 'base64',
        ...(mediaType ? { media_type: mediaType } : {}),
        ...signature,
      },
    },
    {
      ...options,
      timeoutMs: options.timeoutMs ?? UPLOAD_TIMEOUT_MS,
      deadlineMs: options.deadlineMs ?? UPLOAD_DEADLINE_MS,
    },
  )
}

async function readPackage(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const detail = `${file} cannot be read: ${(cause as Error).message}`
    throw new AtomError({ code: 'file_unreadable', title: 'File unreadable', detail, cause })
  }
}
