import { createHash, sign } from 'node:crypto'
import { bundleToJSON, toMessageSignatureBundle } from '@sigstore/bundle'
import type { SigningKey } from './organisations.ts'

export type Change = {
  name?: string
  version?: string
  mode?: 'manual' | 'auto'
  tags?: string[]
  description?: string
  command?: string
}

/** A small valid package as JSON bytes. */
export function packageBytes({ name = 'restart-workers', version = '1.0.0', mode, ...more }: Change = {}): Buffer {
  const { command = 'echo restarted', ...metadata } = more
  return Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'WorkflowPackage',
      metadata: { name, version, ...metadata },
      spec: { ...(mode ? { safety: { mode } } : {}), handlers: [{ name: 'one', type: 'shell', config: { command } }] },
    }),
  )
}

/** What `openssl dgst -sha256 -sign` and `cosign sign-blob` write: base64 of the DER (or PKCS #1) signature. */
export const signatureOf = (bytes: Uint8Array, key: SigningKey): string =>
  sign('sha256', bytes, key.privateKey).toString('base64')

export type BundleJson = {
  mediaType: string
  verificationMaterial: Record<string, unknown> & { publicKey: { hint: string }; tlogEntries?: unknown[] }
  messageSignature: { messageDigest: { algorithm: string; digest: string }; signature: string }
}

/** A Sigstore v0.3 bundle of a key, made by Sigstore's own library. */
export function bundleOf(bytes: Uint8Array, key: SigningKey): BundleJson {
  const bundle = toMessageSignatureBundle({
    digest: createHash('sha256').update(bytes).digest(),
    signature: sign('sha256', bytes, key.privateKey),
    keyHint: key.keyId,
  })
  return structuredClone(bundleToJSON(bundle)) as unknown as BundleJson
}

/** The JSON body of an upload with a detached signature. */
export const uploadOf = (
  bytes: Buffer,
  key: SigningKey,
): { content: string; content_encoding: 'base64'; signature: string } => ({
  content: bytes.toString('base64'),
  content_encoding: 'base64',
  signature: signatureOf(bytes, key),
})
