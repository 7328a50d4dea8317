import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApiKey } from '../../platform/auth/api-keys.ts'
import { type Authenticate, createAuthenticate } from '../../platform/auth/authenticate.ts'
import type { ApiScope, Role } from '../../platform/auth/principal.ts'
import { openTokenIssuer } from '../../platform/auth/tokens.ts'
import type { Clock } from '../../platform/clock.ts'
import { execute } from '../../platform/db.ts'
import { type PublicKey, readPublicKey } from '../../producers/marketplace/trust/public-key.ts'
import type { TestDatabase } from './database.ts'

export type SigningKey = { keyId: string; privateKey: KeyObject; pem: string }
export type KeyKind = 'P-256' | 'P-384' | 'ed25519' | 'rsa'
export type Organisations = {
  authenticate: Authenticate
  token(org: string, ...roles: Role[]): Promise<string>
  apiKey(org: string, ...scopes: ApiScope[]): Promise<string>
  /** A new key pair, registered for `org` unless that is null. */
  signingKey(org: string | null, kind?: KeyKind): Promise<SigningKey>
  close(): Promise<void>
}

/** The operator `atom` and the members named, with real tokens, API keys and signing keys. No visitor. */
export async function openOrganisations(
  database: TestDatabase,
  members: readonly string[],
  now: Clock,
): Promise<Organisations> {
  const folder = await mkdtemp(join(tmpdir(), 'atom-test-orgs-'))
  const app = database.as('atom_app')
  const owner = database.as('postgres')
  const tokens = await openTokenIssuer({
    keyFile: join(folder, 'issuer.json'),
    issuer: 'atom-test',
    operatorOrg: 'atom',
    now,
  })
  for (const org of ['atom', ...members])
    await owner.query('insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, ?, ?)', [
      org,
      org,
      org === 'atom' ? 'operator' : 'member',
      now(),
    ])
  return {
    authenticate: createAuthenticate({ db: app, tokens, visitor: null, now }),
    token: (org, ...roles) => tokens.issue({ org, sub: `${org}-${roles.join('-')}`, roles, ttlSeconds: 365 * 86_400 }),
    apiKey: async (org, ...scopes) =>
      (await app.transaction((tx) => createApiKey(tx, org, scopes, now()), { scope: { org, operator: false } })).key,
    async signingKey(org, kind = 'P-256') {
      const { keyId, pem, algorithm, privateKey } = newKey(kind)
      if (org !== null)
        await app.transaction(
          (tx) =>
            execute(
              tx,
              `insert into marketplace.signing_keys (org, key_id, public_key, algorithm, valid_from, created_at)
               values (?, ?, ?, ?, ?, ?)`,
              [org, keyId, pem, algorithm, now(), now()],
            ),
          { scope: { org, operator: false } },
        )
      return { keyId, privateKey, pem }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A key pair that is nobody's yet. */
export function newKey(kind: KeyKind = 'P-256'): SigningKey & { algorithm: PublicKey['algorithm'] } {
  const { publicKey, privateKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : kind === 'ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: kind })
  return { ...readPublicKey(publicKey.export({ format: 'pem', type: 'spki' }).toString()), privateKey }
}
