import type { Scope } from '../db.ts'

export const OPERATOR_ROLES = ['reviewer', 'finance', 'data', 'admin'] as const
/** `owner` says who belongs to its organisation; `admin` does so in the operator's, and makes organisations. */
export const MEMBER_ROLES = ['partner', 'tenant', 'owner'] as const
export type Role = (typeof OPERATOR_ROLES)[number] | (typeof MEMBER_ROLES)[number]
export type ApiScope = 'publish' | 'report' | 'read'

/** Who calls, as proven by a credential; `visitor` is the read-only caller of the loopback demo. */
export type Principal = {
  org: string
  subject: string
  roles: readonly Role[]
  scopes: readonly ApiScope[]
  kind: 'token' | 'api-key' | 'visitor'
  /** Why its organisation is suspended; absent where it is not. */
  suspended?: string
}

export const hasRole = (principal: Principal, ...roles: Role[]): boolean =>
  roles.some((role) => principal.roles.includes(role))

/** True for callers who may see every organisation's rows: an operator role in the operator's organisation. */
export const isOperator = (principal: Principal): boolean => hasRole(principal, ...OPERATOR_ROLES)

/** What row-level security is told about the caller. */
export const scopeOf = (principal: Principal): Scope => ({ org: principal.org, operator: isOperator(principal) })
