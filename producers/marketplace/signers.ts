import { type Db, row, rows, type Tx } from '../../platform/db.ts'
import type { PublicKey } from './trust/public-key.ts'
import { counts, type RegisteredIdentity, type RegisteredKey, type Window } from './trust/verify-signature.ts'
import type { VersionRow } from './version-row.ts'

type WindowRow = { valid_from: Date; revoked_at: Date | null }
type KeyRow = { key_id: string; public_key: string; algorithm: PublicKey['algorithm'] } & WindowRow
type IdentityRow = { id: string; issuer: string; subject: string } & WindowRow

/** Every key and identity an organisation has registered, the revoked ones too: what they signed before still counts. */
export async function signersOf(
  tx: Tx,
  org: string,
): Promise<{ keys: RegisteredKey[]; identities: RegisteredIdentity[] }> {
  const keys = await rows<KeyRow>(
    tx,
    `select key_id, public_key, algorithm, valid_from, revoked_at from marketplace.signing_keys
     where org = ? order by revoked_at is not null, created_at desc limit 200`,
    [org],
  )
  const identities = await rows<IdentityRow>(
    tx,
    'select id, issuer, subject, valid_from, revoked_at from marketplace.identities where org = ? order by id desc',
    [org],
  )
  return { keys: keys.map(registeredKey), identities: identities.map((one) => ({ ...one, ...windowOf(one) })) }
}

/** Keys of every organisation, to tell a foreign signature from a broken one; asked only after one failed. */
export function readAllKeys(db: Db): () => Promise<PublicKey[]> {
  return async () => {
    const found = await db.query<KeyRow>(
      `select key_id, public_key, algorithm, valid_from, revoked_at from marketplace.signing_keys
       order by created_at desc limit 500`,
    )
    return found.map(registeredKey)
  }
}

/** The signer of a version, what verifies its signature, and whether it counts; null when the scope does not see it. */
export async function signerOf(tx: Tx, version: VersionRow) {
  const key = await row<KeyRow>(
    tx,
    `select key_id, public_key, algorithm, valid_from, revoked_at from marketplace.signing_keys
     where org = ? and key_id = ?`,
    [version.org, version.key_id],
  )
  const identity = key
    ? undefined
    : await row<IdentityRow>(
        tx,
        `select id, issuer, subject, valid_from, revoked_at from marketplace.identities
         where org = ? and id::text = ?`,
        [version.org, version.key_id],
      )
  const found = key ?? identity
  if (!found) return null
  return {
    ...(key
      ? { kind: 'key', key_id: key.key_id, algorithm: key.algorithm, public_key: key.public_key }
      : { kind: 'identity', issuer: identity?.issuer, subject: identity?.subject }),
    signed_at: signedAt(version).toISOString(),
    signed_at_proven: version.signed_at !== null,
    revoked_at: found.revoked_at?.toISOString() ?? null,
    counts: counts(windowOf(found), signedAt(version)),
    status: statusOf(windowOf(found), signedAt(version)),
  }
}

/** Why a version may not be published although its signature verified, or null: its signer was revoked before it signed. */
export async function signerFault(tx: Tx, version: VersionRow): Promise<string | null> {
  const signer = await signerOf(tx, version)
  if (signer?.counts) return null
  const when = signer?.revoked_at ? `was revoked from ${signer.revoked_at}` : 'is not registered for that time'
  return `the signer ${when}, and the version was signed ${signedAt(version).toISOString()}`
}

/** Of a signer at the time of a signature, in one word. */
function statusOf(window: Window, at: Date): 'valid' | 'revoked' | 'not_yet_valid' {
  if (counts(window, at)) return 'valid'
  return window.revokedAt !== null && at >= window.revokedAt ? 'revoked' : 'not_yet_valid'
}

const signedAt = ({ signed_at, submitted_at }: VersionRow): Date => signed_at ?? submitted_at

const registeredKey = (key: KeyRow): RegisteredKey => ({
  keyId: key.key_id,
  pem: key.public_key,
  algorithm: key.algorithm,
  ...windowOf(key),
})

const windowOf = ({ valid_from, revoked_at }: WindowRow): Window => ({ validFrom: valid_from, revokedAt: revoked_at })
