import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { keyError } from '../errors.ts'
import type { PublicHalf, SigningKey } from '../signing-key.ts'
import { errorsIn, type Vault, type VaultReply } from './vault-http.ts'
import type { Session } from './vault-session.ts'

type Options = { vault: Vault; session: Session; mount: string; name: string; now: Clock }
export type VaultKey = SigningKey & {
  /** Asks the store now; how many versions the key has. Throws like `sign`. */
  ask(): Promise<number>
}

/** All of a signature, a login in between included: whoever waits for it holds a database session that ends after 5 s. */
const DEADLINE_MS = 4_000
/** A rotation shows in the list of public keys after this; a signature by a version not seen yet shows it at once. */
const FRESH_MS = 60_000

/**
 * A key of the transit engine of Vault or OpenBao: ECDSA P-256, versions and all. Every call may throw `key_store_sealed`,
 * `key_store_unreachable`, `key_store_denied`, `key_missing` or `key_unfit`.
 */
export function vaultKey({ vault, session, mount, name, now }: Options): VaultKey {
  let known: { at: number; halves: ReadonlyMap<number, PublicHalf> } | null = null

  async function authorised(method: 'GET' | 'POST', path: string, signal: AbortSignal, body?: object) {
    for (let attempt = 1; ; attempt += 1) {
      const token = await session.token(signal)
      const reply = await vault.call(method, path, { token, signal, ...(body ? { body } : {}) })
      if (reply.status !== 403) {
        session.worked(token)
        return checked(reply)
      }
      if (!session.refused(token) || attempt === 2)
        throw keyError('key_store_denied', `the key store lets this token neither read nor use the key ${name}`)
    }
  }

  /** Vault has two ways of saying that a key is not there, and a third for a mount. */
  function checked({ status, body }: VaultReply): Record<string, unknown> {
    if (status === 200) return (body.data ?? {}) as Record<string, unknown>
    const said = errorsIn(body).join('; ')
    const cause = new Error(`status ${status}: ${said}`)
    if (status === 404 && /no handler for route/.test(said))
      throw keyError('key_missing', `nothing is mounted at ${mount} in the key store`, { cause })
    if (status === 404 || /key not found/.test(said))
      throw keyError('key_missing', `there is no key ${name} at ${mount} in the key store`, { cause })
    throw keyError('key_unfit', `the key store will not sign with the key ${name} (status ${status})`, { cause })
  }

  async function read(signal: AbortSignal): Promise<ReadonlyMap<number, PublicHalf>> {
    const data = await authorised('GET', `${mount}/keys/${encodeURIComponent(name)}`, signal)
    if (data.type !== 'ecdsa-p256') throw keyError('key_unfit', `the key ${name} is not of type ecdsa-p256`)
    const versions = Object.entries((data.keys ?? {}) as Record<string, { public_key?: string }>)
      .map(([version, { public_key }]) => [Number(version), public_key ?? ''] as const)
      .sort(([a], [b]) => a - b)
    known = { at: now().getTime(), halves: new Map(versions.map(([version, pem]) => [version, halfOf(pem)])) }
    return known.halves
  }

  return {
    async sign(bytes) {
      const signal = AbortSignal.timeout(DEADLINE_MS)
      const input = createHash('sha256').update(bytes).digest('base64')
      const how = { prehashed: true, hash_algorithm: 'sha2-256', marshaling_algorithm: 'asn1' }
      const data = await authorised('POST', `${mount}/sign/${encodeURIComponent(name)}`, signal, { input, ...how })
      const { version, signature } = signatureIn(data.signature)
      const half = known?.halves.get(version) ?? (await read(signal)).get(version)
      // What is signed is published for good: it is looked at once more before it is.
      if (!half || !verify('sha256', bytes, half.pem, signature))
        throw keyError('key_unfit', `the signature made with the key ${name} does not verify with its public key`)
      return { keyId: half.keyId, signature }
    },

    async publicKeys() {
      const age = known === null ? Number.POSITIVE_INFINITY : now().getTime() - known.at
      if (known && age >= 0 && age < FRESH_MS) return [...known.halves.values()]
      try {
        return [...(await read(AbortSignal.timeout(DEADLINE_MS))).values()]
      } catch (error) {
        // Public keys stay what they were while the store is away.
        if (known) return [...known.halves.values()]
        throw error
      }
    },

    ask: async () => (await read(AbortSignal.timeout(DEADLINE_MS))).size,
  }
}

/** `vault:v3:base64`; the version is the one that signed. */
function signatureIn(text: unknown): { version: number; signature: Buffer } {
  const [, version, base64] = /^[a-z]+:v([1-9]\d{0,8}):([A-Za-z0-9+/=]+)$/.exec(String(text)) ?? []
  if (version === undefined || base64 === undefined)
    throw keyError('key_store_unreachable', 'the key store answers with something that is no signature')
  return { version: Number(version), signature: Buffer.from(base64, 'base64') }
}

function halfOf(text: string): PublicHalf {
  const key = publicKeyIn(text)
  const keyId = createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('base64')
  return { keyId, pem: key.export({ format: 'pem', type: 'spki' }).toString() }
}

function publicKeyIn(text: string): KeyObject {
  try {
    return createPublicKey(text)
  } catch (cause) {
    throw keyError('key_unfit', 'the key store answers with a public key that is none', { cause })
  }
}
