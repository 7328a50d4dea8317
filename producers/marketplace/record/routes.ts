import { scopeOf } from '../../../platform/auth/principal.ts'
import { rows } from '../../../platform/db.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'

/** The marketplace's own public keys, for everybody, and its audit log, for the operator. */
export function recordRoutes(deps: MarketplaceDeps): Route[] {
  async function keys(): Promise<Answer> {
    const halves = await deps.registryKey.publicKeys()
    const current = halves.at(-1)?.keyId
    const shown = halves.map(({ keyId, pem }) => ({
      key_id: keyId,
      algorithm: 'ecdsa-p256',
      public_key: pem,
      current: keyId === current,
    }))
    return { status: 200, body: { keys: shown } }
  }

  async function log(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['integer'])
    const scope = scopeOf(call.principal)
    const { entries, checkpoints } = await deps.db.transaction(
      async (tx) => {
        const entries = await rows<{ seq: string; entry: string; sha256: string }>(
          tx,
          'select seq, entry, sha256 from marketplace.audit_log where seq > ? order by seq limit ?',
          [after?.[0] ?? 0, limit + 1],
        )
        const [first, last] = [entries[0], entries.slice(0, limit).at(-1)]
        const checkpoints = await rows<{ envelope: object }>(
          tx,
          'select envelope from marketplace.audit_checkpoints where seq between ? and ? order by seq',
          [first?.seq ?? 0, last?.seq ?? 0],
        )
        return { entries, checkpoints }
      },
      { scope },
    )
    const { items, next } = page(entries, limit, ({ seq }) => [seq])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: {
        entries: items.map(({ entry, sha256 }) => ({ entry, sha256 })),
        checkpoints: checkpoints.map(({ envelope }) => envelope),
        next,
      },
    }
  }

  const operators = { roles: ['reviewer', 'data', 'admin'] as const }
  return [
    openGet('/registry/keys', 'Public keys the marketplace signs verdicts and decisions with', keys),
    {
      method: 'GET',
      path: '/registry/audit',
      summary: 'The audit log, entry by entry, with its signed heads',
      access: operators,
      handle: log,
    },
  ]
}
