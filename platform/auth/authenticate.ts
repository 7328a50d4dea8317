import { type Db, row } from '../db.ts'
import { isApiKey, principalOfApiKey } from './api-keys.ts'
import { authError } from './errors.ts'
import type { Principal } from './principal.ts'
import type { TokenIssuer } from './tokens.ts'

export type Authenticate = (authorization: string | undefined) => Promise<Principal>

/**
 * Who sent this `Authorization` header. Without one: the visitor where there is one, else 401.
 * A credential that is sent but wrong is always 401 and never becomes the visitor.
 */
export function createAuthenticate(options: { db: Db; tokens: TokenIssuer; visitor: Principal | null }): Authenticate {
  const { db, tokens, visitor } = options
  /** Organisations are never removed, so having seen one is enough. */
  const known = new Set<string>()

  async function exists(org: string): Promise<boolean> {
    if (known.has(org)) return true
    const scope = { org, operator: false }
    const found = await db.transaction((tx) => row(tx, 'select 1 from platform.orgs where org = ?', [org]), { scope })
    if (found) known.add(org)
    return found !== undefined
  }

  return async (authorization) => {
    if (authorization === undefined) {
      if (visitor) return visitor
      throw authError('credential_missing', 'send `Authorization: Bearer <token or API key>`')
    }
    const credential = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1]
    if (!credential) throw authError('credential_invalid', 'the Authorization header is not `Bearer <credential>`')
    if (isApiKey(credential)) return principalOfApiKey(db, credential)
    const principal = await tokens.verify(credential)
    if (!(await exists(principal.org))) throw authError('credential_invalid', 'its organisation does not exist')
    return principal
  }
}
