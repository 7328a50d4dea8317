import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from './fake-problem.ts'

/** An organisation as `$ATOM_HOME/dev/credentials.json` describes it. */
export interface OrgCredentials {
  tokens: Record<string, string>
  api_key: string
  private_key_path: string
  public_key_path: string
  key_id: string
}

export interface Credentials {
  orgs: { atom: { tokens: Record<string, string> }; demo: OrgCredentials; acme: OrgCredentials }
}

export interface Principal {
  org: string
  roles: string[]
}

/** Fresh demo organisations with keys on disk under a new temporary folder. */
export function makeCredentials(): Credentials & { folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'atom-sdk-test-'))
  const tokens = (names: string[]) => Object.fromEntries(names.map((name) => [name, `jwt-${name}-${randomUUID()}`]))
  const org = (name: string): OrgCredentials => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const privatePath = join(folder, `${name}.key.pem`)
    const publicPath = join(folder, `${name}.pub.pem`)
    writeFileSync(privatePath, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    writeFileSync(publicPath, publicKey.export({ type: 'spki', format: 'pem' }))
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    return {
      tokens: tokens(['partner', 'tenant']),
      api_key: `atom_${name}_${randomUUID()}`,
      private_key_path: privatePath,
      public_key_path: publicPath,
      key_id: createHash('sha256').update(spki).digest('base64'),
    }
  }
  const atom = { tokens: tokens(['reviewer', 'reviewer2', 'finance', 'data', 'admin']) }
  return { folder, orgs: { atom, demo: org('demo'), acme: org('acme') } }
}

/** Who an Authorization header speaks for; undefined without one, a 401 Problem for an unknown credential. */
export function principalOf(credentials: Credentials, header: string | undefined): Principal | undefined {
  if (header === undefined) return undefined
  for (const [org, given] of Object.entries(credentials.orgs)) {
    for (const [role, token] of Object.entries(given.tokens)) {
      if (header === `Bearer ${token}`) return { org, roles: [role] }
    }
    if ('api_key' in given && header === `Bearer ${given.api_key}`) return { org, roles: ['publish', 'report', 'read'] }
  }
  throw new Problem(401, 'credential_invalid')
}

/** The caller, with one of `roles`: 401 without a credential, 403 with a wrong role. */
export function requireRole(principal: Principal | undefined, roles: string[]): Principal {
  if (!principal) throw new Problem(401, 'credential_missing')
  if (!principal.roles.some((role) => roles.includes(role))) throw new Problem(403, 'role_missing')
  return principal
}
