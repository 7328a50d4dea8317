import { Type } from '@sinclair/typebox'
import { hasRole, isOperator, scopeOf } from '../../../platform/auth/principal.ts'
import { row, rows } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { type NoteKey, retryNote } from '../payments/credit-note-sends.ts'
import { paymentError } from '../payments/errors.ts'
import { creditInvoice } from './acts.ts'
import type { Wanted } from './credit-amounts.ts'
import type { CreditNote } from './credit-note.ts'
import { noteCsv, notePdf } from './credit-note-documents.ts'
import { malformed, moneyOf, Reference } from './life-routes.ts'
import { findLife } from './stored-life.ts'

const CreditBody = closed({
  reason: Type.String({ minLength: 1, maxLength: 500 }),
  reference: Type.Optional(Reference),
  amount: Type.Optional(Type.String()),
  lines: Type.Optional(
    Type.Array(closed({ line_id: Type.String({ maxLength: 64 }), amount: Type.Optional(Type.String()) }), {
      minItems: 1,
      maxItems: 500,
    }),
  ),
})
type NoteRow = {
  tenant: string
  id: string
  invoice_id: string
  number: string
  kind: string
  reason: string
  currency: string
  total: string
  sha256: string
  issued_at: Date
  /** Finance sees how telling who collects has come along. */
  send: object | null
}
type ShareRow = {
  credit_note_id: string
  number: string
  period: string
  currency: string
  gross: string
  partner_share: string
  platform_fee: string
  tax: string
  issued_at: Date
}

/** Credit notes: given by finance, seen by their tenant as documents and by partners as what they give back. */
export function creditNoteRoutes(deps: MeteringDeps): Route[] {
  async function credit(call: Call): Promise<Answer> {
    const { reason, reference = null, amount, lines } = checked(CreditBody, jsonBody(call))
    if ((amount === undefined) === (lines === undefined))
      throw malformed('', 'names either the `amount` or the `lines` to give back')
    const { tenant, id, currency } = await deps.db.transaction((tx) => findLife(tx, call.params.id ?? ''), {
      scope: scopeOf(call.principal),
    })
    const wanted: Wanted =
      amount !== undefined
        ? { amount: moneyOf(amount, currency, '/amount') }
        : {
            lines: (lines ?? []).map((one, index) => ({
              line_id: one.line_id,
              ...(one.amount === undefined ? {} : { amount: moneyOf(one.amount, currency, `/lines/${index}/amount`) }),
            })),
          }
    const act = { deps, tenant, id, by: call.principal.subject }
    const { note, isNew } = await creditInvoice(act, wanted, reason, reference)
    if (isNew) deps.wake()
    return { status: isNew ? 201 : 200, body: note }
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text'])
    const earned = hasRole(call.principal, 'partner') && !isOperator(call.principal)
    const asked = call.query.get('side')
    if (asked !== null && asked !== 'partner' && asked !== 'tenant')
      throw httpError('parameter_invalid', '`side` is partner or tenant')
    const { shares, notes } = await deps.db.transaction(
      async (tx) => {
        // By length first: a seventh digit sorts after six.
        const from = after ? [...after, ...after] : []
        const older = after ? 'where (length(number), number) < (length(?), ?)' : ''
        const newest = 'order by length(number) desc, number desc limit ?'
        if ((asked ?? (earned ? 'partner' : 'tenant')) === 'partner')
          return {
            shares: await rows<ShareRow>(
              tx,
              `select credit_note_id, number, period, currency, gross::text, partner_share::text, platform_fee::text,
                 tax::text, issued_at from metering.credit_note_shares
               ${older === '' ? 'where' : `${older} and`} partner = ? ${newest}`,
              [...from, call.principal.org, limit + 1],
            ),
            notes: [],
          }
        return {
          shares: [],
          notes: await rows<NoteRow>(
            tx,
            `select tenant, id, invoice_id, number, kind, reason, currency, total::text, sha256, issued_at,
               (select jsonb_build_object('sink', sink, 'action', action, 'state', state, 'last_error', last_error)
                from metering.credit_note_sends s where s.tenant = c.tenant and s.credit_note_id = c.id) as send
             from metering.credit_notes c ${older} ${newest}`,
            [...from, limit + 1],
          ),
        }
      },
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page<NoteRow | ShareRow>([...shares, ...notes], limit, ({ number }) => [number])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { credit_notes: items, next } }
  }

  async function show(call: Call): Promise<Answer> {
    const [id = '', format] = (call.params.id ?? '').split('.', 2)
    if (format !== undefined && format !== 'csv' && format !== 'pdf')
      throw httpError('not_found', 'a credit note is JSON, or a document as `.csv` or `.pdf`')
    const found = isUuid(id)
      ? await deps.db.transaction(
          (tx) =>
            row<{ body: Buffer; sha256: string }>(tx, 'select body, sha256 from metering.credit_notes where id = ?', [
              id,
            ]),
          { scope: scopeOf(call.principal) },
        )
      : undefined
    if (!found) throw httpError('not_found', 'no credit note has this id')
    if (format === undefined)
      return {
        status: 200,
        bytes: found.body,
        type: 'application/json',
        headers: { etag: `"sha256:${found.sha256}"` },
      }
    const note = JSON.parse(found.body.toString('utf8')) as CreditNote
    const headers = { 'content-disposition': `attachment; filename="${note.number}.${format}"` }
    if (format === 'pdf') return { status: 200, bytes: await notePdf(note), type: 'application/pdf', headers }
    const type = 'text/csv; charset=utf-8; header=present'
    return { status: 200, bytes: Buffer.from(noteCsv(note)), type, headers }
  }

  /** Tells who collects of it again, after that failed or ran dry. */
  async function retry(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const key = isUuid(id)
      ? await deps.db.transaction(
          (tx) => row<NoteKey>(tx, 'select tenant, id as credit_note_id from metering.credit_notes where id = ?', [id]),
          { scope: scopeOf(call.principal) },
        )
      : undefined
    if (!key) throw httpError('not_found', 'no credit note has this id')
    if (!(await retryNote(deps.allTenants, key, deps.now())))
      throw paymentError('payment_not_retriable', 'it was told, is being told, or its invoice was never sent')
    return { status: 202, body: key }
  }

  return [
    {
      method: 'POST',
      path: '/billing/credit-notes/:id/retry',
      summary: 'Tell who collects of a credit note again',
      access: { roles: ['finance'] },
      handle: retry,
    },
    { method: 'GET', path: '/billing/credit-notes', summary: 'Credit notes', access: everyone, handle: list },
    { method: 'GET', path: '/billing/credit-notes/:id', summary: 'A credit note', access: everyone, handle: show },
    {
      method: 'POST',
      path: '/billing/invoices/:id/credit-notes',
      summary: 'Give back a part of an invoice',
      access: { roles: ['finance'] },
      handle: credit,
    },
  ]
}
