import { hasRole, scopeOf } from '../../platform/auth/principal.ts'
import { rows } from '../../platform/db.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import type { MeteringDeps } from './deps.ts'

type LedgerRow = {
  tenant: string
  posting_id: string
  entry: number
  kind: string
  invoice_id: string | null
  document_id: string | null
  account: string
  partner: string | null
  currency: string
  amount: string
  posted_at: Date
}

/** The ledger: finance sees every posting, a partner what it earned (debit positive, credit negative). */
export function ledgerRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid', 'integer'])
    const earned = !hasRole(call.principal, 'finance', 'admin')
    const found = await deps.db.transaction(
      (tx) =>
        rows<LedgerRow>(
          tx,
          `select tenant, posting_id, entry, kind, invoice_id, document_id, account, partner, currency, amount::text, posted_at
           from metering.ledger
           where ${earned ? "partner = ? and account = 'partner_payable'" : 'true'}
             ${after ? 'and (posting_id, entry) < (?::uuid, ?::int)' : ''}
           order by posting_id desc, entry desc limit ?`,
          [...(earned ? [call.principal.org] : []), ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ posting_id, entry }) => [posting_id, String(entry)])
    // A partner sees what it is owed, not which of its tenants a posting belongs to.
    const entries = earned
      ? items.map(({ tenant: _tenant, invoice_id: _invoice, document_id: _document, ...rest }) => rest)
      : items
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { entries, next } }
  }

  return {
    method: 'GET',
    path: '/billing/ledger',
    summary: 'Ledger entries',
    access: { roles: ['finance', 'admin', 'partner'] },
    handle,
  }
}
