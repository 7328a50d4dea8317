import { decodeJwt, type JWTPayload, type JWTVerifyResult, jwtVerify } from 'jose'
import type { Clock } from '../clock.ts'
import type { Db } from '../db.ts'
import { AppError } from '../errors.ts'
import type { HealthCheck } from '../http/health.ts'
import type { Log } from '../log.ts'
import type { VerifyToken } from './authenticate.ts'
import { authError } from './errors.ts'
import { openIssuerKeys } from './issuer-keys.ts'
import { createMemberships, namesOf } from './members.ts'
import { principalOf } from './org-roles.ts'
import type { Principal } from './principal.ts'

export type OidcOptions = {
  /** As tokens name them in `iss`, to the letter. */
  issuers: readonly string[]
  /** A token must be meant for one of these (`aud`). */
  audiences: readonly string[]
  /** Where given, a token must have been issued to one of these (`azp` or `client_id`). */
  clients: readonly string[] | undefined
  /** Which claims say organisation and roles; null: the members that organisations named. */
  claims: { org: string; roles: string } | null
  operatorOrg: string
  db: Db
  now: Clock
  log: Log
  fetch?: typeof fetch
}

/** Asymmetric only: with a shared secret the public keys would sign, and `none` is no signature. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
/** ID tokens and access tokens (RFC 9068). Logout tokens and proofs are signed with the same keys and prove no caller. */
const TYPES = [undefined, 'jwt', 'at+jwt', 'application/at+jwt']
const CLOCK_SKEW_SECONDS = 30

export type Oidc = {
  verify: VerifyToken
  /** Reads the keys of the issuers before the first token comes. */
  warm(): Promise<void>
  /** Says for `/health` whether keys are known; it fails only while there are none, since known ones go on. */
  check: HealthCheck
}

/** Verifies tokens of OIDC issuers. */
export function openOidc(options: OidcOptions): Oidc {
  const { issuers, audiences, clients, claims, operatorOrg, db, now, log } = options
  const fetch = options.fetch ?? globalThis.fetch
  const keys = new Map(issuers.map((issuer) => [issuer, openIssuerKeys({ issuer, now, log, fetch })]))
  const membershipsOf = createMemberships(db, now)

  async function verified(token: string): Promise<JWTPayload & { iss: string; sub: string }> {
    // Chooses whose keys are looked at; the verification then demands that very issuer.
    const issuer = decodeJwt(token).iss ?? ''
    const known = keys.get(issuer)
    if (!known) throw new TypeError('the issuer is not one of ours')
    const result = await jwtVerify(token, known.keyOf, {
      algorithms: ALGORITHMS,
      issuer,
      audience: [...audiences],
      clockTolerance: CLOCK_SKEW_SECONDS,
      requiredClaims: ['sub', 'exp'],
      currentDate: now(),
    })
    requireUse(result, clients)
    return result.payload as JWTPayload & { iss: string; sub: string }
  }

  async function verify(token: string, org?: string): Promise<Principal> {
    let payload: JWTPayload & { iss: string; sub: string }
    try {
      payload = await verified(token)
    } catch (cause) {
      if (cause instanceof AppError) throw cause
      const detail = 'the token is malformed, expired, or not signed by a known issuer for this service'
      throw authError('credential_invalid', detail, { cause })
    }
    const subject =
      payload.iss === issuers[0] ? payload.sub : `${payload.iss.replace(/^https?:\/\//, '')}|${payload.sub}`
    if (!claims) return ofMember(payload, subject, org)
    const principal = principalOf({
      org: claimAt(payload, claims.org),
      roles: rolesAt(payload, claims.roles),
      subject,
      operatorOrg,
    })
    if (!principal) throw authError('credential_invalid', `the token names no organisation in ${claims.org}`)
    return principal
  }

  async function ofMember(payload: JWTPayload & { iss: string; sub: string }, subject: string, org?: string) {
    const email = payload.email_verified === true && typeof payload.email === 'string' ? payload.email : undefined
    const memberships = await membershipsOf(payload.iss, namesOf(payload.sub, email))
    // The one joined first: nobody else can move a person by naming it as a member of another organisation.
    const chosen = org === undefined ? memberships[0] : memberships.find((one) => one.org === org)
    const principal = chosen && principalOf({ ...chosen, subject, operatorOrg })
    if (principal) return principal
    const where = org === undefined ? 'any organisation' : `the organisation that Atom-Org names`
    throw authError('not_a_member', `${payload.sub} is not a member of ${where}; an owner of it can name it as one`)
  }

  const check: HealthCheck = {
    name: 'issuer',
    async run() {
      // Not waited for: an issuer that hangs must not make the check late.
      for (const one of keys.values()) void one.warm()
      const states = [...keys].map(([issuer, one]) => ({ issuer, ...one.state() }))
      const silent = states.filter(({ readAt, problem }) => readAt === null && problem !== null)
      if (silent.length > 0) {
        const detail = `no keys of ${silent.map(({ issuer }) => issuer).join(', ')} could be read; the log says why`
        return { status: 'failed', code: 'issuer_unreachable', detail, cause: silent[0]?.problem ?? '' }
      }
      return { status: 'ok', detail: states.map(stateText).join('; ') }
    },
  }
  return {
    verify,
    check,
    async warm() {
      await Promise.all([...keys.values()].map((one) => one.warm()))
    },
  }
}

const stateText = ({ issuer, readAt, problem }: { issuer: string; readAt: Date | null; problem: string | null }) => {
  if (!readAt) return `${issuer}: not asked yet`
  const since = `keys of ${readAt.toISOString().slice(0, 19)}Z`
  return problem === null ? `${issuer}: ${since}` : `${issuer}: cannot be reached, ${since} go on`
}

function requireUse({ payload, protectedHeader }: JWTVerifyResult, clients: readonly string[] | undefined): void {
  if (!TYPES.includes(protectedHeader.typ?.toLowerCase())) throw new TypeError('the token is of another type')
  if (clients === undefined) return
  const client = payload.azp ?? payload.client_id
  if (typeof client !== 'string' || !clients.includes(client)) throw new TypeError('the token is of another client')
}

/** A claim by its name, or by a JSON Pointer where it lies deeper or its name has a slash. */
function claimAt(payload: Record<string, unknown>, place: string): unknown {
  if (!place.startsWith('/')) return Object.hasOwn(payload, place) ? payload[place] : undefined
  let value: unknown = payload
  for (const step of place.slice(1).split('/')) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Roles as a list, or as one text with spaces between (RFC 8693, as `scope` has them). */
function rolesAt(payload: Record<string, unknown>, place: string): unknown[] {
  const value = claimAt(payload, place)
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value : []
}
