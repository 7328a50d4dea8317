import type { Clock } from '../clock.ts'
import type { Db } from '../db.ts'
import { createUseNotes, isApiKey, principalOfApiKey } from './api-keys.ts'
import { authError } from './errors.ts'
import { createOrgStates } from './org-states.ts'
import type { Principal } from './principal.ts'

/** `org` is the organisation that a member of several asks to act in. */
export type Authenticate = (authorization: string | undefined, org?: string) => Promise<Principal>
/** Says whose a token is, or throws 401. */
export type VerifyToken = (token: string, org?: string) => Promise<Principal>

/**
 * Who sent this `Authorization` header. Without one: the visitor where there is one, else 401.
 * A credential that is sent but wrong is always 401 and never becomes the visitor.
 */
export function createAuthenticate(options: {
  db: Db
  tokens: { verify: VerifyToken }
  visitor: Principal | null
  now: Clock
}): Authenticate {
  const { db, tokens, visitor, now } = options
  const stateOf = createOrgStates(db, now)
  const noteUse = createUseNotes(db, now)

  return async (authorization, org) => {
    if (authorization === undefined) {
      if (visitor) return visitor
      throw authError('credential_missing', 'send `Authorization: Bearer <token or API key>`')
    }
    // OIDC issuers put groups and more into their tokens: 8 kB is half of what Node takes as headers.
    const credential = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(authorization)?.[1]
    if (!credential) throw authError('credential_invalid', 'the Authorization header is not `Bearer <credential>`')
    const principal = isApiKey(credential)
      ? await principalOfApiKey(db, credential, now(), noteUse)
      : await tokens.verify(credential, org)
    const state = await stateOf(principal.org)
    if (!state) throw authError('credential_invalid', 'its organisation does not exist')
    return state.suspended === null ? principal : { ...principal, suspended: state.suspended }
  }
}
