import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AtomError } from './atom-error.ts'

/** The signature part of an upload: a Sigstore bundle, or a detached base64 signature. */
export type SignatureFields = { bundle: unknown } | { signature: string; key_id?: string }

/**
 * The signature over `bytes`, the content of `file`: `<file>.sigstore.json`, else `<file>.sig`, else made with the
 * PEM key at `keyPath`. Throws AtomError `signature_missing`, `bundle_malformed`, `signature_malformed` or `signing_key_unusable`.
 */
export async function signatureFor(
  file: string,
  bytes: Uint8Array,
  keyPath: string | undefined,
): Promise<SignatureFields> {
  const bundle = await readIfThere(`${file}.sigstore.json`)
  if (bundle) return { bundle: parseBundle(`${file}.sigstore.json`, bundle) }
  const detached = await readIfThere(`${file}.sig`)
  if (detached) return { signature: parseDetached(`${file}.sig`, detached) }
  if (keyPath) return signWith(keyPath, bytes)
  throw new AtomError({
    code: 'signature_missing',
    title: 'The package is not signed',
    detail:
      `${file} has no signature. Three ways to give one: put a Sigstore bundle at ${file}.sigstore.json ` +
      `(cosign sign-blob --bundle), or a detached base64 signature at ${file}.sig (cosign sign-blob ` +
      '--output-signature), or name a PEM private key (ECDSA P-256, RSA or Ed25519) in ATOM_SIGNING_KEY',
  })
}

/** base64(SHA-256(DER SPKI)) of a key's public half: the hint cosign writes into bundles. */
export function keyIdOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}

async function signWith(keyPath: string, bytes: Uint8Array): Promise<SignatureFields> {
  let key: KeyObject
  try {
    key = createPrivateKey(await readFile(keyPath))
  } catch (cause) {
    throw unusableKey(keyPath, `it is not a readable, unencrypted PEM private key (${(cause as Error).message})`, cause)
  }
  const type = key.asymmetricKeyType ?? ''
  if (!['ec', 'rsa', 'ed25519'].includes(type)) {
    throw unusableKey(keyPath, `a key of type ${type} cannot be verified; use ECDSA P-256, RSA or Ed25519`)
  }
  // Node's defaults are what cosign verifies: DER for ECDSA, PKCS#1 v1.5 for RSA. Ed25519 hashes the bytes itself.
  const hash = type === 'ed25519' ? null : 'sha256'
  return { signature: sign(hash, bytes, key).toString('base64'), key_id: keyIdOf(key) }
}

function unusableKey(keyPath: string, why: string, cause?: unknown): AtomError {
  const detail = `The signing key ${keyPath} (ATOM_SIGNING_KEY) cannot be used: ${why}`
  return new AtomError({ code: 'signing_key_unusable', title: 'Signing key unusable', detail, cause })
}

function parseBundle(path: string, content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'))
  } catch (cause) {
    const detail = `${path} is not JSON, so not a Sigstore bundle`
    throw new AtomError({ code: 'bundle_malformed', title: 'Bundle malformed', detail, cause })
  }
}

function parseDetached(path: string, content: Buffer): string {
  const text = content.toString('latin1').replace(/\s+/g, '')
  if (/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return text
  const detail = `${path} is not base64 text, which is what cosign sign-blob --output-signature writes`
  throw new AtomError({ code: 'signature_malformed', title: 'Signature malformed', detail })
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    // Going on to the next way would hide that the signature meant for this file could not be read.
    const detail = `${path} cannot be read: ${(cause as Error).message}`
    throw new AtomError({ code: 'file_unreadable', title: 'File unreadable', detail, cause })
  }
}
