import { join } from 'node:path'
import type { VerifyToken } from '../platform/auth/authenticate.ts'
import { authError } from '../platform/auth/errors.ts'
import { requireSafeUrl } from '../platform/auth/fetch-json.ts'
import { type Oidc, openOidc } from '../platform/auth/oidc.ts'
import { issuerOf, openTokenIssuer, type TokenIssuer } from '../platform/auth/tokens.ts'
import type { Clock } from '../platform/clock.ts'
import type { Db } from '../platform/db.ts'
import { messageOf } from '../platform/errors.ts'
import type { HealthCheck } from '../platform/http/health.ts'
import type { Log } from '../platform/log.ts'
import type { AtomSettings } from './settings.ts'

export class IssuersRefused extends Error {}
export type Issuers = {
  /** The built-in development issuer; null where it is off. */
  development: TokenIssuer | null
  verify: VerifyToken
  checks: HealthCheck[]
}
type Settings = Pick<
  AtomSettings,
  | 'jwtIssuer'
  | 'devIssuer'
  | 'operatorOrg'
  | 'oidcIssuers'
  | 'oidcAudience'
  | 'oidcClients'
  | 'oidcOrgClaim'
  | 'oidcRolesClaim'
  | 'oidcAdmin'
>

/** Whether the built-in issuer is on: unless said otherwise, where no OIDC issuer takes its place. */
export const developmentIssuerOn = ({ devIssuer, oidcIssuers }: Pick<Settings, 'devIssuer' | 'oidcIssuers'>): boolean =>
  devIssuer === 'on' || (devIssuer === 'auto' && oidcIssuers === undefined)

/** Whose tokens are accepted. Throws `IssuersRefused` for settings under which somebody could pass for another. */
export async function openIssuers(
  settings: Settings,
  { home, db, now, log }: { home: string; db: Db; now: Clock; log: Log },
): Promise<Issuers> {
  const { jwtIssuer, operatorOrg, oidcIssuers: issuers } = settings
  requireSound(settings)
  const keyFile = join(home, 'dev', 'issuer.json')
  const development = developmentIssuerOn(settings)
    ? await openTokenIssuer({ keyFile, issuer: jwtIssuer, operatorOrg, now })
    : null
  const oidc = issuers ? openOidc({ ...oidcOptions(settings, issuers), operatorOrg, db, now, log }) : null
  void oidc?.warm()
  return { development, verify: verifierOf(development, oidc, jwtIssuer), checks: oidc ? [oidc.check] : [] }
}

function verifierOf(development: TokenIssuer | null, oidc: Oidc | null, jwtIssuer: string): VerifyToken {
  if (!oidc) return development ? development.verify : refuse
  return (token, org) =>
    development && issuerOf(token) === jwtIssuer ? development.verify(token) : oidc.verify(token, org)
}

const refuse: VerifyToken = async () => {
  throw authError('credential_invalid', 'no issuer of tokens is configured; API keys are accepted')
}

function oidcOptions(settings: Settings, issuers: readonly string[]) {
  const { oidcAudience: audiences = [], oidcClients: clients, oidcOrgClaim: org, oidcRolesClaim: roles } = settings
  return { issuers, audiences, clients, claims: org !== undefined && roles !== undefined ? { org, roles } : null }
}

function requireSound({ oidcIssuers: issuers, oidcAudience, oidcOrgClaim, oidcRolesClaim, jwtIssuer }: Settings): void {
  const refused = (why: string) => new IssuersRefused(why)
  if ((oidcOrgClaim === undefined) !== (oidcRolesClaim === undefined))
    throw refused('ATOM_OIDC_ORG_CLAIM and ATOM_OIDC_ROLES_CLAIM belong together: set both or neither')
  if (!issuers) return
  if (!oidcAudience?.length) throw refused('ATOM_OIDC_AUDIENCE is empty: a token for any other service would do')
  if (new Set(issuers).size < issuers.length || issuers.includes(jwtIssuer))
    throw refused('ATOM_OIDC_ISSUER names an issuer twice, or the built-in one')
  // Whoever runs one of several issuers could name the operator's organisation, or anybody's.
  if (oidcOrgClaim !== undefined && issuers.length > 1)
    throw refused(
      'ATOM_OIDC_ORG_CLAIM believes an issuer any organisation it names: only with a single ATOM_OIDC_ISSUER',
    )
  for (const issuer of issuers)
    try {
      requireSafeUrl(issuer)
    } catch (error) {
      throw refused(`ATOM_OIDC_ISSUER ${issuer}: ${messageOf(error)}`)
    }
}
