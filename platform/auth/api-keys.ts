import { createHash, randomBytes } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import { type Db, execute, row, type Tx } from '../db.ts'
import { authError } from './errors.ts'
import type { ApiScope, Principal } from './principal.ts'

const PREFIX = 'atom_'
export const isApiKey = (credential: string): boolean => credential.startsWith(PREFIX)
const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

export type NewApiKey = { id: string; key: string; prefix: string }

/** Makes a key of 256 random bits; only its hash is kept, so it can be shown this once. */
export async function createApiKey(tx: Tx, org: string, scopes: readonly ApiScope[], now: Date): Promise<NewApiKey> {
  const key = `${PREFIX}${randomBytes(32).toString('base64url')}`
  const id = uuidv7()
  const prefix = key.slice(0, PREFIX.length + 6)
  await execute(
    tx,
    'insert into platform.api_keys (org, id, prefix, hash, scopes, created_at) values (?, ?, ?, ?, ?, ?)',
    [org, id, prefix, hashOf(key), scopes, now],
  )
  return { id, key, prefix }
}

/** The organisation a key belongs to. Throws `credential_invalid` when it is unknown or revoked. */
export async function principalOfApiKey(db: Db, key: string): Promise<Principal> {
  const hash = hashOf(key).toString('hex')
  const found = await db.transaction(async (tx) => {
    await tx.raw("select set_config('app.presented_key', ?, true)", [hash])
    return row<{ org: string; prefix: string; scopes: ApiScope[]; revoked_at: Date | null }>(
      tx,
      "select org, prefix, scopes, revoked_at from platform.api_keys where hash = decode(?, 'hex')",
      [hash],
    )
  })
  if (!found || found.revoked_at) throw authError('credential_invalid', 'the API key is unknown or revoked')
  return { org: found.org, subject: `key:${found.prefix}`, roles: [], scopes: found.scopes, kind: 'api-key' }
}
