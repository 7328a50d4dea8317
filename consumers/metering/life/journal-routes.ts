import { hasRole, scopeOf } from '../../../platform/auth/principal.ts'
import { row, rows, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { csvRow } from '../../../platform/http/csv.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'

type Entry = {
  posting_id: string
  entry: number
  date: string
  kind: string
  account: string
  partner: string
  tenant: string
  debit: string
  credit: string
  currency: string
  document: string
}
type Sum = { account: string; currency: string; debit: string; credit: string; balance: string }
type Month = { period: string; start: Date; end: Date }
const COLUMNS = `posting_id, date, kind, account, partner, tenant, debit, credit, currency, document`.split(
  ', ',
) as (keyof Entry)[]
const BATCH = 5_000

/** A month's postings, as bookkeeping takes them. It does not leave while a posting of the month does not balance. */
export function journalRoutes(deps: MeteringDeps): Route[] {
  async function journal(call: Call): Promise<Answer> {
    const [period = '', format] = (call.params.period ?? '').split('.', 2)
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(period))
      throw httpError('parameter_invalid', 'a period is a month such as 2026-10')
    if (format !== undefined && format !== 'csv') throw httpError('not_found', 'a journal is JSON, or `.csv`')
    const { start, end } = periodBounds(period)
    const month = { period, start, end }
    const scope = scopeOf(call.principal)
    const { limit, after } = pageRequest(call.query, ['uuid', 'integer'])
    const { accounts, found } = await deps.db.transaction(
      async (tx) => {
        await refuseUnbalanced(tx, month)
        return {
          accounts: await sumsOf(tx, month),
          found: format === 'csv' ? [] : await entriesAfter(tx, month, after, limit + 1),
        }
      },
      { scope },
    )
    if (format === 'csv') {
      const headers = { 'content-disposition': `attachment; filename="journal-${period}.csv"` }
      const read = (from: string[] | null) =>
        deps.db.transaction((tx) => entriesAfter(tx, month, from, BATCH), { scope })
      return { status: 200, stream: csvOf(read, accounts), type: 'text/csv; charset=utf-8; header=present', headers }
    }
    const { items, next } = page(found, limit, ({ posting_id, entry }) => [posting_id, String(entry)])
    const body = { period, totals: totalsOf(accounts), accounts, entries: items, next }
    return { status: 200, headers: nextLink(call.path, call.query, next), body }
  }

  /** What a partner has earned in each month of posting: payable, credited back, and what remains. */
  async function earnings(call: Call): Promise<Answer> {
    const all = hasRole(call.principal, 'finance', 'admin')
    const partner = all ? call.query.get('partner') : call.principal.org
    if (partner === null) throw httpError('parameter_invalid', '`partner` names whose earnings are asked for')
    const months = await deps.db.transaction(
      (tx) =>
        rows<Record<'month' | 'currency' | 'payable' | 'credited_back' | 'net', string>>(
          tx,
          `select to_char(posted_at at time zone 'UTC', 'YYYY-MM') as month, currency,
             (-coalesce(sum(amount) filter (where kind <> 'credit_note'), 0))::text as payable,
             coalesce(sum(amount) filter (where kind = 'credit_note'), 0)::text as credited_back,
             (-sum(amount))::text as net
           from metering.ledger where partner = ? and account = 'partner_payable'
           group by 1, 2 order by 1 desc, 2 limit 120`,
          [partner],
        ),
      { scope: scopeOf(call.principal) },
    )
    return { status: 200, body: { partner, months } }
  }

  return [
    {
      method: 'GET',
      path: '/billing/journal/:period',
      summary: "A month's postings, if they balance",
      access: { roles: ['finance', 'admin'] },
      handle: journal,
    },
    {
      method: 'GET',
      path: '/billing/earnings',
      summary: 'What a partner has earned, by month',
      access: { roles: ['partner', 'finance', 'admin'] },
      handle: earnings,
    },
  ]
}

/** The database refuses such a posting; one that is there was made by going round it. */
async function refuseUnbalanced(tx: Tx, { start, end }: Month): Promise<void> {
  const off = await row<{ posting_id: string; off: string; currency: string }>(
    tx,
    `select posting_id, currency, sum(amount)::text as off from metering.ledger where posted_at >= ? and posted_at < ?
     group by tenant, posting_id, currency having sum(amount) <> 0 order by posting_id limit 1`,
    [start, end],
  )
  if (!off) return
  const detail = `posting ${off.posting_id} is off by ${off.off} ${off.currency}: nothing is exported until it is explained`
  throw billingError('journal_unbalanced', detail)
}

const sumsOf = (tx: Tx, { start, end }: Month) =>
  rows<Sum>(
    tx,
    `select account, currency, coalesce(sum(amount) filter (where amount > 0), 0)::text as debit,
       coalesce(-sum(amount) filter (where amount < 0), 0)::text as credit, sum(amount)::text as balance
     from metering.ledger where posted_at >= ? and posted_at < ? group by account, currency order by currency, account`,
    [start, end],
  )

/** A document is known by its number; a payment by its reference, which is the payer's. */
const entriesAfter = (tx: Tx, { start, end }: Month, after: readonly string[] | null, limit: number) =>
  rows<Entry>(
    tx,
    `select l.posting_id, l.entry, to_char(l.posted_at at time zone 'UTC', 'YYYY-MM-DD') as date, l.kind, l.account,
       coalesce(l.partner, '') as partner, l.tenant, l.currency,
       case when l.amount >= 0 then l.amount::text else '' end as debit,
       case when l.amount < 0 then (-l.amount)::text else '' end as credit,
       coalesce(c.number, i.number, l.document_id::text, '') as document
     from metering.ledger l
     left join metering.invoices i on i.tenant = l.tenant and i.id = l.invoice_id
     left join metering.credit_notes c on c.tenant = l.tenant and c.id = l.document_id
     where l.posted_at >= ? and l.posted_at < ? ${after ? 'and (l.posting_id, l.entry) > (?::uuid, ?::int)' : ''}
     order by l.posting_id, l.entry limit ?`,
    [start, end, ...(after ?? []), limit],
  )

function totalsOf(accounts: readonly Sum[]) {
  const currencies = [...new Set(accounts.map(({ currency }) => currency))]
  return currencies.map((currency) => {
    const own = accounts.filter((one) => one.currency === currency)
    const sum = (amounts: readonly string[]) => amounts.reduce((total, text) => total + decimal(text), 0n)
    const places = Math.max(...own.map(({ debit, credit }) => Math.max(placesOf(debit), placesOf(credit))))
    const text = (amounts: readonly string[]) => formatDecimal(sum(amounts), places)
    return { currency, debit: text(own.map(({ debit }) => debit)), credit: text(own.map(({ credit }) => credit)) }
  })
}

const placesOf = (amount: string): number => amount.split('.')[1]?.length ?? 0

async function* csvOf(
  read: (after: string[] | null) => Promise<Entry[]>,
  accounts: readonly Sum[],
): AsyncIterable<string> {
  yield csvRow(COLUMNS)
  for (let after: string[] | null = null; ; ) {
    const entries: Entry[] = await read(after)
    yield entries.map((entry) => csvRow(COLUMNS.map((name) => String(entry[name])))).join('')
    const last = entries.at(-1)
    if (!last || entries.length < BATCH) break
    after = [last.posting_id, String(last.entry)]
  }
  for (const { account, currency, debit, credit } of accounts)
    yield csvRow(['account total', '', '', account, '', '', debit, credit, currency, ''])
  for (const { currency, debit, credit } of totalsOf(accounts))
    yield csvRow(['total', '', '', '', '', '', debit, credit, currency, ''])
}
