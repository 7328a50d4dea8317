import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../platform/auth/principal.ts'
import { execute, row, rows, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { closed } from '../../schemas/envelope.ts'
import type { MarketplaceDeps } from './deps.ts'
import { marketplaceError } from './errors.ts'
import { revokedFrom, ValidFrom, validFromOf } from './signer-window.ts'
import { readPublicKey } from './trust/public-key.ts'
import { signedBy } from './trust/signed-by.ts'
import { strictBase64 } from './trust/strict-base64.ts'

const KeyBody = closed({
  public_key: Type.String({ maxLength: 4_096 }),
  proof: Type.String({ maxLength: 4_096 }),
  valid_from: ValidFrom,
})
const MOST_KEYS = 20
type KeyRow = { key_id: string; algorithm: string; public_key: string; valid_from: Date; revoked_at: Date | null }

/** The text a new key signs to show that its holder asks; it names the organisation, so a proof cannot be reused. */
export const proofText = (org: string, keyId: string): string => `atom: register signing key ${keyId} for ${org}`

/** Signing keys of the caller's organisation: list, register with proof of possession, revoke. */
export function signingKeyRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const found = await deps.db.transaction(
      (tx) =>
        rows<KeyRow>(
          tx,
          `select key_id, algorithm, public_key, valid_from, revoked_at from marketplace.signing_keys
           where org = ? order by created_at`,
          [call.principal.org],
        ),
      { scope: scopeOf(call.principal) },
    )
    return { status: 200, body: { keys: found.map(keyOf), next: null } }
  }

  async function register(call: Call): Promise<Answer> {
    const { public_key, proof, valid_from } = checked(KeyBody, jsonBody(call))
    const { org } = call.principal
    const key = readPublicKey(public_key)
    const signature = strictBase64(proof)
    if (!signature || !signedBy(key, Buffer.from(proofText(org, key.keyId)), signature))
      throw marketplaceError('proof_invalid', `sign the text «${proofText(org, key.keyId)}» with the key, base64`)
    const now = deps.now()
    const validFrom = validFromOf(valid_from, now)
    const stored = await deps.db.transaction(
      async (tx) => {
        await requireRoom(tx, org)
        const inserted = await execute(
          tx,
          `insert into marketplace.signing_keys (org, key_id, public_key, algorithm, valid_from, created_at)
           values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
          [org, key.keyId, key.pem, key.algorithm, validFrom, now],
        )
        fault('keys.after-insert')
        return inserted
      },
      { scope: scopeOf(call.principal) },
    )
    fault('keys.after-insert-commit')
    if (stored === 0) throw marketplaceError('key_exists', `key ${key.keyId} is registered for ${org} already`)
    const { keyId, algorithm, pem } = key
    const body = keyOf({ key_id: keyId, algorithm, public_key: pem, valid_from: validFrom, revoked_at: null })
    return { status: 201, body }
  }

  async function revoke(call: Call): Promise<Answer> {
    const from = revokedFrom(call, deps.now())
    const changed = await deps.db.transaction(
      async (tx) => {
        const updated = await execute(
          tx,
          `update marketplace.signing_keys set revoked_at = least(revoked_at, ?::timestamptz)
           where org = ? and key_id = ?`,
          [from, call.principal.org, call.params.key_id],
        )
        fault('keys.after-revocation')
        return updated
      },
      { scope: scopeOf(call.principal) },
    )
    fault('keys.after-revocation-commit')
    if (changed === 0) throw httpError('not_found', 'no signing key with this id')
    return { status: 204 }
  }

  const access = { roles: ['partner'] as const }
  return [
    { method: 'GET', path: '/orgs/keys', summary: 'Signing keys of the organisation', access, handle: list },
    { method: 'POST', path: '/orgs/keys', summary: 'Register a signing key', access, handle: register },
    { method: 'DELETE', path: '/orgs/keys/:key_id', summary: 'Revoke a signing key', access, handle: revoke },
  ]
}

/** Who signs without naming a key makes us try them all. Two at once may both find room; the limit is not that exact. */
async function requireRoom(tx: Tx, org: string): Promise<void> {
  const found = await row<{ n: number }>(
    tx,
    'select count(*)::int as n from marketplace.signing_keys where org = ? and revoked_at is null',
    [org],
  )
  if ((found?.n ?? 0) < MOST_KEYS) return
  throw marketplaceError('too_many_keys', `an organisation has at most ${MOST_KEYS} keys at once; revoke one first`)
}

const keyOf = (key: KeyRow) => ({
  key_id: key.key_id,
  algorithm: key.algorithm,
  public_key: key.public_key,
  valid_from: key.valid_from.toISOString(),
  revoked_at: key.revoked_at?.toISOString() ?? null,
})
