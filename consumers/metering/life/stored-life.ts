import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal } from '../../../platform/decimal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import { isUuid } from '../../../platform/uuid.ts'
import type { InvoiceFacts, IssuedFacts } from './invoice-state.ts'

/** An invoice with all that is stored of its life. */
export type LifeRow = {
  tenant: string
  id: string
  period: string
  status: 'gathering' | 'issued'
  currency: string
  number: string | null
  sha256: string | null
  issued_at: Date | null
  approval_asked_at: Date | null
  approved_at: Date | null
  parked_code: string | null
  parked_repair: string | null
  issue_attempts: number | null
  issue_error: string | null
  issue_next_at: Date | null
  due_at: Date | null
  total: string | null
  amount_due: string | null
  credited: string | null
  paid: string | null
  voided_at: Date | null
  uncollectible_at: Date | null
  reason: string | null
  send_state: NonNullable<IssuedFacts['send']>['state'] | null
  send_error: string | null
  told: IssuedFacts['told']
}

export const LIFE_COLUMNS = `i.tenant, i.id, i.period, i.status, i.currency, i.number, i.sha256, i.issued_at,
  l.approval_asked_at, l.approved_at, l.parked_code, l.parked_repair, l.issue_attempts, l.issue_error, l.issue_next_at,
  l.due_at, l.total::text, l.amount_due::text, l.credited::text, l.paid::text, l.voided_at, l.uncollectible_at, l.reason,
  s.state as send_state, s.last_error as send_error, p.state as told`
export const LIFE_TABLES = `metering.invoices i
  left join metering.invoice_life l on l.tenant = i.tenant and l.invoice_id = i.id
  left join metering.payment_sends s on s.tenant = i.tenant and s.invoice_id = i.id
  left join metering.payment_states p on p.tenant = i.tenant and p.invoice_id = i.id`

/** What is stored, as `invoiceState` takes it. `collectionHours` after the month its invoice may be issued. */
export function factsOf(row: LifeRow, collectionHours: number): InvoiceFacts {
  const { end } = periodBounds(row.period)
  if (row.status === 'gathering')
    return {
      status: 'gathering',
      periodEnd: end,
      collectionEnds: new Date(end.getTime() + collectionHours * 3_600_000),
      approvalAsked: row.approval_asked_at !== null,
      approved: row.approved_at !== null,
      parked: row.parked_code === null ? null : { code: row.parked_code, repair: row.parked_repair ?? '' },
      issueError: row.issue_error,
    }
  const money = (text: string | null): Decimal => decimal(text ?? '0')
  return {
    status: 'issued',
    dueAt: row.due_at ?? (row.issued_at as Date),
    total: money(row.total),
    amountDue: money(row.amount_due),
    credited: money(row.credited),
    paid: money(row.paid),
    voided: row.voided_at !== null,
    uncollectible: row.uncollectible_at !== null,
    reason: row.reason,
    send: row.send_state === null ? null : { state: row.send_state, error: row.send_error },
    told: row.told,
  }
}

/** The invoice of an id, or 404 for what the caller may not see. */
export async function findLife(tx: Tx, id: string): Promise<LifeRow> {
  const found = isUuid(id)
    ? await row<LifeRow>(tx, `select ${LIFE_COLUMNS} from ${LIFE_TABLES} where i.id = ?`, [id])
    : undefined
  if (!found) throw httpError('not_found', 'no invoice has this id')
  return found
}

/**
 * The same, held until the transaction ends: of two who act on one invoice, the second sees what the first did. Readers
 * and postings that name the invoice are not held up.
 */
export async function holdLife(tx: Tx, id: string): Promise<LifeRow> {
  await rows(tx, 'select 1 from metering.invoices where id = ? for no key update', [id])
  return findLife(tx, id)
}

export type LifeChange = {
  approval_asked_at?: Date | null
  approved_at?: Date
  approved_by?: string
  parked_code?: string | null
  parked_repair?: string | null
  issue_attempts?: number
  issue_error?: string | null
  issue_next_at?: Date | null
  due_at?: Date
  total?: string
  amount_due?: string
  credited?: string
  paid?: string
  voided_at?: Date
  rebilled?: boolean
  uncollectible_at?: Date
  reason?: string
}

/** Notes something of an invoice's life; what is not named stays. The names are those of the type, never a caller's. */
export async function noteLife(
  tx: Tx,
  { tenant, id }: { tenant: string; id: string },
  change: LifeChange,
): Promise<void> {
  const names = Object.keys(change)
  await execute(
    tx,
    `insert into metering.invoice_life (tenant, invoice_id, ${names.join(', ')})
     values (?, ?${', ?'.repeat(names.length)})
     on conflict (tenant, invoice_id) do update set ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`,
    [tenant, id, ...Object.values(change)],
  )
}
