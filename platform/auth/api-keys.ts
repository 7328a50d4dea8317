import { createHash, randomBytes } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import type { Clock } from '../clock.ts'
import { type Db, execute, row, type Tx } from '../db.ts'
import { authError } from './errors.ts'
import type { ApiScope, Principal } from './principal.ts'

const PREFIX = 'atom_'
export const isApiKey = (credential: string): boolean => credential.startsWith(PREFIX)
const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

export type NewApiKey = { id: string; key: string; prefix: string }
/** `name` tells keys of one organisation apart; `expiresAt` is when it stops to count. */
export type ApiKeyTerms = { name?: string; expiresAt?: Date }

/** Makes a key of 256 random bits; only its hash is kept, so it can be shown this once. */
export async function createApiKey(
  tx: Tx,
  org: string,
  scopes: readonly ApiScope[],
  now: Date,
  { name, expiresAt }: ApiKeyTerms = {},
): Promise<NewApiKey> {
  const key = `${PREFIX}${randomBytes(32).toString('base64url')}`
  const id = uuidv7()
  const prefix = key.slice(0, PREFIX.length + 6)
  await execute(
    tx,
    `insert into platform.api_keys (org, id, prefix, hash, scopes, created_at, name, expires_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    [org, id, prefix, hashOf(key), scopes, now, name ?? null, expiresAt ?? null],
  )
  return { id, key, prefix }
}

/** A key that was just used, and when it had been before. */
export type UsedKey = { org: string; id: string; last_used_at: Date | null }
type KeyRow = UsedKey & { prefix: string; scopes: ApiScope[]; revoked_at: Date | null; expires_at: Date | null }

/** Whose a key is. Throws `credential_invalid` when it is unknown or revoked, `credential_expired` when it is too old. */
export async function principalOfApiKey(
  db: Db,
  key: string,
  now: Date,
  onUse: (used: UsedKey) => void = () => {},
): Promise<Principal> {
  const hash = hashOf(key).toString('hex')
  const found = await db.transaction(async (tx) => {
    await tx.raw("select set_config('app.presented_key', ?, true)", [hash])
    return row<KeyRow>(
      tx,
      `select org, id, prefix, scopes, revoked_at, expires_at, last_used_at from platform.api_keys
       where hash = decode(?, 'hex')`,
      [hash],
    )
  })
  if (!found || found.revoked_at) throw authError('credential_invalid', 'the API key is unknown or revoked')
  const { org, id, prefix, scopes, expires_at, last_used_at } = found
  if (expires_at && expires_at <= now)
    throw authError(
      'credential_expired',
      `the API key ${prefix}… expired at ${expires_at.toISOString()}; make a new one`,
    )
  onUse({ org, id, last_used_at })
  return { org, subject: `key:${prefix}`, roles: [], scopes, kind: 'api-key' }
}

const NOTE_EVERY_MS = 60_000

/**
 * Notes when a key was last used, at most once a minute and beside the request: who asks does not wait for it, and one
 * that cannot be noted is noted with the next use.
 */
export function createUseNotes(db: Db, now: Clock): (used: UsedKey) => void {
  const noting = new Set<string>()

  async function note(org: string, id: string, at: Date): Promise<void> {
    await db.transaction(
      (tx) =>
        execute(
          tx,
          `update platform.api_keys set last_used_at = ?
           where org = ? and id = ? and (last_used_at is null or last_used_at <= ?)`,
          [at, org, id, new Date(at.getTime() - NOTE_EVERY_MS)],
        ),
      { scope: { org, operator: false } },
    )
  }

  return ({ org, id, last_used_at }) => {
    const at = now()
    if (noting.has(id) || (last_used_at && at.getTime() - last_used_at.getTime() < NOTE_EVERY_MS)) return
    noting.add(id)
    note(org, id, at)
      .catch(() => {})
      .finally(() => noting.delete(id))
  }
}
