import type { Db } from '../db.ts'
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
  return async (authorization) => {
    if (authorization === undefined) {
      if (visitor) return visitor
      throw authError('credential_missing', 'send `Authorization: Bearer <token or API key>`')
    }
    const credential = /^Bearer ([\x21-\x7e]{1,4096})$/.exec(authorization)?.[1]
    if (!credential) throw authError('credential_invalid', 'the Authorization header is not `Bearer <credential>`')
    return isApiKey(credential) ? principalOfApiKey(db, credential) : tokens.verify(credential)
  }
}
