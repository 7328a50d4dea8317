import { generateKeyPairSync } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { decodeJwt, exportJWK, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../clock.ts'
import { authError } from './errors.ts'
import { principalOf } from './org-roles.ts'
import type { Principal, Role } from './principal.ts'

const AUDIENCE = 'atom'
const ALGORITHM = 'ES256'
type Claims = { sub: string; org: string; roles: readonly Role[]; ttlSeconds: number }

export type TokenIssuer = {
  issue(claims: Claims): Promise<string>
  verify(token: string): Promise<Principal>
}

/** Who a token says issued it, unproven; undefined when it is none. */
export function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

/**
 * Signs and verifies JWTs with one key kept in `keyFile` (0600, made on first use).
 * The algorithm, issuer, audience, expiry and type are all demanded; a token's own headers choose nothing.
 */
export async function openTokenIssuer(options: {
  keyFile: string
  issuer: string
  operatorOrg: string
  now: Clock
}): Promise<TokenIssuer> {
  const { issuer, operatorOrg, now } = options
  const { publicJwk, privateJwk } = await loadKey(options.keyFile)
  const publicKey = await importJWK(publicJwk, ALGORITHM)
  const privateKey = await importJWK(privateJwk, ALGORITHM)

  return {
    issue: ({ sub, org, roles, ttlSeconds }) => {
      const seconds = Math.floor(now().getTime() / 1000)
      return new SignJWT({ org, roles })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: publicJwk.kid as string })
        .setIssuer(issuer)
        .setAudience(AUDIENCE)
        .setSubject(sub)
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + ttlSeconds)
        .sign(privateKey)
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          algorithms: [ALGORITHM],
          issuer,
          audience: AUDIENCE,
          typ: 'JWT',
          requiredClaims: ['sub', 'exp', 'org', 'roles'],
          currentDate: now(),
        })
        return principalFrom(payload, operatorOrg)
      } catch (cause) {
        throw authError('credential_invalid', 'the token is malformed, expired or not signed by this issuer', { cause })
      }
    },
  }
}

function principalFrom(payload: Record<string, unknown>, operatorOrg: string): Principal {
  const { sub, org, roles } = payload
  const principal =
    typeof sub === 'string' && Array.isArray(roles) ? principalOf({ org, roles, subject: sub, operatorOrg }) : null
  if (!principal) throw new TypeError('claims')
  return principal
}

async function loadKey(file: string): Promise<{ publicJwk: JWK; privateJwk: JWK }> {
  const stored = await readFile(file, 'utf8').catch(() => null)
  if (stored) return JSON.parse(stored) as { publicJwk: JWK; privateJwk: JWK }
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kid = `dev-${Buffer.from(JSON.stringify(publicKey.export({ format: 'jwk' })))
    .toString('base64url')
    .slice(-12)}`
  const pair = { publicJwk: { ...(await exportJWK(publicKey)), kid }, privateJwk: await exportJWK(privateKey) }
  await mkdir(dirname(file), { recursive: true })
  const partial = `${file}.${process.pid}`
  await writeFile(partial, JSON.stringify(pair), { mode: 0o600 })
  // Linked, not renamed: whoever comes second takes the key that is there, since tokens may be signed with it already.
  await link(partial, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(partial, { force: true })
  return JSON.parse(await readFile(file, 'utf8')) as { publicJwk: JWK; privateJwk: JWK }
}
