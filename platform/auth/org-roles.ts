import { MEMBER_ROLES, OPERATOR_ROLES, type Principal, type Role } from './principal.ts'

const ORG = /^[a-z0-9][a-z0-9-]{0,62}$/

/** The roles that count in this kind of organisation, whatever a token says. */
export const rolesIn = (operator: boolean): readonly Role[] => (operator ? OPERATOR_ROLES : MEMBER_ROLES)

/** Who calls, with those of the roles that belong to its kind of organisation; null without an organisation. */
export function principalOf(claimed: {
  org: unknown
  roles: readonly unknown[]
  subject: string
  operatorOrg: string
}): Principal | null {
  const { org, roles, subject, operatorOrg } = claimed
  if (typeof org !== 'string' || !ORG.test(org)) return null
  const allowed: readonly unknown[] = rolesIn(org === operatorOrg)
  const granted = roles.filter((role): role is Role => allowed.includes(role))
  return { org, subject, roles: granted, scopes: [], kind: 'token' }
}
