import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Role } from '../../platform/auth/principal.ts'
import type { TokenIssuer } from '../../platform/auth/tokens.ts'

export type MemberCredentials = {
  tokens: { partner: string; tenant: string }
  api_key: string
  private_key_path: string
  public_key_path: string
  key_id: string
}
export type DemoCredentials = {
  orgs: {
    atom: { tokens: Record<'reviewer' | 'reviewer2' | 'finance' | 'data' | 'admin', string> }
    demo: MemberCredentials
    acme: MemberCredentials
  }
}

const YEAR_SECONDS = 365 * 86_400

/**
 * Reads `dev/credentials.json`, or makes it: signing keys, API keys and tokens of the demo organisations, mode 0600.
 * The operator's stand under `atom`, whatever it is called. Written once and whole; tokens last a year, and an installation older than that gets new ones.
 */
export async function demoCredentials(
  home: string,
  tokens: TokenIssuer,
  operatorOrg: string,
): Promise<DemoCredentials> {
  const folder = join(home, 'dev')
  const file = join(folder, 'credentials.json')
  if (existsSync(file)) {
    const stored = JSON.parse(await readFile(file, 'utf8')) as DemoCredentials
    const admin = await tokens.verify(stored.orgs.atom.tokens.admin).catch(() => null)
    if (admin?.org === operatorOrg) return stored
  }
  await mkdir(folder, { recursive: true, mode: 0o711 })
  const issue = (org: string, sub: string, ...roles: Role[]) =>
    tokens.issue({ org, sub, roles, ttlSeconds: YEAR_SECONDS })
  const credentials: DemoCredentials = {
    orgs: {
      atom: {
        tokens: {
          reviewer: await issue(operatorOrg, 'reviewer', 'reviewer'),
          reviewer2: await issue(operatorOrg, 'reviewer2', 'reviewer'),
          finance: await issue(operatorOrg, 'finance', 'finance'),
          data: await issue(operatorOrg, 'data', 'data'),
          admin: await issue(operatorOrg, 'admin', 'admin'),
        },
      },
      demo: await member('demo'),
      acme: await member('acme'),
    },
  }
  await writeWhole(file, `${JSON.stringify(credentials, null, 2)}\n`)
  return credentials

  async function member(org: string): Promise<MemberCredentials> {
    const key = await signingKey(folder, org)
    return {
      tokens: {
        partner: await issue(org, `${org}-partner`, 'partner'),
        tenant: await issue(org, `${org}-tenant`, 'tenant'),
      },
      api_key: `atom_${randomBytes(32).toString('base64url')}`,
      ...key,
    }
  }
}

async function signingKey(folder: string, org: string) {
  const private_key_path = join(folder, `${org}.key`)
  const public_key_path = join(folder, `${org}.pub`)
  if (!existsSync(private_key_path)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeWhole(private_key_path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  }
  const publicKey = createPublicKey(await readFile(private_key_path))
  await writeWhole(public_key_path, publicKey.export({ format: 'pem', type: 'spki' }).toString())
  const key_id = createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64')
  return { private_key_path, public_key_path, key_id }
}

async function writeWhole(file: string, text: string): Promise<void> {
  const partial = `${file}.${process.pid}`
  await writeFile(partial, text, { mode: 0o600 })
  await rename(partial, file)
}
