import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { failureLog } from '../failure-log.ts'
import type { Log } from '../log.ts'
import { authError } from './errors.ts'
import { fetchJson, requireSafeUrl } from './fetch-json.ts'

export type IssuerKeys = {
  /** The key that a token's header names; for `jwtVerify`. */
  keyOf(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey>
  /** Reads the keys while there are none. */
  warm(): Promise<void>
  state(): { readAt: Date | null; problem: string | null }
}

/** An unknown key id makes us ask the issuer at most so often, however many tokens name one. */
const COOLDOWN_MS = 30_000
/** Without any key nobody gets in, so an issuer that comes up late is asked sooner. */
const FIRST_COOLDOWN_MS = 5_000
/** A key that the issuer took back is believed so long. */
const REFRESH_MS = 10 * 60_000

/**
 * The signing keys of an OIDC issuer, found through its discovery document. While it cannot be reached the keys known
 * go on: jose's own remote set forgets them after its `cacheMaxAge`, and asks a failing issuer for every token anew.
 */
export function openIssuerKeys(options: { issuer: string; now: Clock; log: Log; fetch: typeof fetch }): IssuerKeys {
  const { issuer, now, fetch } = options
  const failed = failureLog(options.log, 'keys of the issuer cannot be read')
  let keys: ReturnType<typeof createLocalJWKSet> | null = null
  let readAt: Date | null = null
  let triedAt = Number.NEGATIVE_INFINITY
  let problem: string | null = null
  let reading: Promise<void> | null = null

  async function read(): Promise<void> {
    const at = now()
    triedAt = at.getTime()
    try {
      const described = await fetchJson(fetch, discoveryOf(issuer))
      if (described.issuer !== issuer) throw new Error('its discovery document names another issuer')
      if (typeof described.jwks_uri !== 'string') throw new Error('its discovery document names no jwks_uri')
      const found = await fetchJson(fetch, requireSafeUrl(described.jwks_uri))
      keys = createLocalJWKSet(found as unknown as JSONWebKeySet)
      readAt = at
      problem = null
    } catch (error) {
      // `fetch failed` alone says nothing: why is in its cause.
      const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : ''
      problem = `${messageOf(error)}${cause}`
    }
    failed(issuer, problem)
  }

  /** Asks the issuer unless that was done a moment ago; everybody who waits shares one asking. */
  async function ask(cooldownMs: number): Promise<void> {
    if (!reading && now().getTime() - triedAt < cooldownMs) return
    reading ??= read().finally(() => {
      reading = null
    })
    await reading
  }

  return {
    async keyOf(header, token) {
      if (!keys) await ask(FIRST_COOLDOWN_MS)
      if (!keys)
        throw authError('issuer_unreachable', 'the issuer of this token cannot be reached, and no key of it is known', {
          headers: { 'retry-after': String(FIRST_COOLDOWN_MS / 1_000) },
        })
      if (readAt && now().getTime() - readAt.getTime() >= REFRESH_MS) void ask(COOLDOWN_MS)
      try {
        return await keys(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await ask(COOLDOWN_MS)
        return keys(header, token)
      }
    },
    warm: async () => {
      if (!keys) await ask(FIRST_COOLDOWN_MS)
    },
    state: () => ({ readAt, problem }),
  }
}

/** Where OpenID Connect Discovery 1.0 puts the document: after the issuer's own path. */
const discoveryOf = (issuer: string): URL =>
  requireSafeUrl(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
