import { hasRole, type Principal } from '../../../platform/auth/principal.ts'
import { row, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import type { MeteringDeps } from '../deps.ts'
import { currencyDigits } from '../rating/currency.ts'
import { type InvoiceState, invoiceState } from './invoice-state.ts'
import { factsOf, LIFE_COLUMNS, LIFE_TABLES, type LifeRow } from './stored-life.ts'

type Rules = Pick<MeteringDeps, 'now' | 'collectionHours'>

/** What is between the operator and its systems is no business of a tenant: to it the invoice is a draft, or issued. */
export const TOLD_TENANT: Partial<Record<InvoiceState, InvoiceState>> = {
  awaiting_approval: 'draft',
  parked: 'draft',
  issue_failed: 'draft',
  send_failed: 'issued',
}

const seesAll = (principal: Principal): boolean => hasRole(principal, 'finance', 'admin')
const toldTo = (principal: Principal, state: InvoiceState): InvoiceState =>
  seesAll(principal) ? state : (TOLD_TENANT[state] ?? state)

/** An invoice as lists show it: what it is, its live state, and for finance what may be done about it. */
export function shownInvoice(rules: Rules, principal: Principal, one: LifeRow) {
  const { state, reason, actions } = invoiceState(factsOf(one, rules.collectionHours), rules.now())
  const { tenant, id, period, status, currency, number, sha256, issued_at, due_at } = one
  const money = (text: string | null) => formatDecimal(decimal(text ?? '0'), currencyDigits(currency))
  const sums = { total: one.total, amount_due: one.amount_due, credited: one.credited, paid: one.paid }
  const issued = Object.fromEntries(Object.entries(sums).map(([name, text]) => [name, money(text)]))
  return {
    ...{ tenant, id, period, status, currency, number, sha256, issued_at, due_at },
    state: toldTo(principal, state),
    ...(seesAll(principal) ? { state_reason: reason } : {}),
    ...(status === 'issued' ? issued : {}),
    ...(hasRole(principal, 'finance') ? { actions } : {}),
  }
}

/** The state of an invoice that is not issued, which may have no row yet. */
export async function liveState(
  tx: Tx,
  { now, collectionHours }: Rules,
  principal: Principal,
  id: string,
  period: string,
): Promise<InvoiceState> {
  const found = await row<LifeRow>(tx, `select ${LIFE_COLUMNS} from ${LIFE_TABLES} where i.id = ?`, [id])
  const untouched = { approval_asked_at: null, approved_at: null, parked_code: null, issue_error: null }
  const one = found ?? ({ period, status: 'gathering', ...untouched } as LifeRow)
  return toldTo(principal, invoiceState(factsOf(one, collectionHours), now()).state)
}
