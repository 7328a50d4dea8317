import { createHash } from 'node:crypto'
import { publish } from '../../../platform/bus/outbox.ts'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { fault } from '../../../platform/fault.ts'
import { creditNoteIssued } from '../../../schemas/events/credit_note.issued.ts'
import { SOURCE } from '../deps.ts'
import { billingError } from '../errors.ts'
import { type Entry, post } from '../ledger.ts'
import { currencyDigits } from '../rating/currency.ts'
import type { TaxLine } from '../rating/delta.ts'
import { type InvoiceLine, lineId } from '../rating/line.ts'
import { type Credit, creditOf, type Left, type Side, type Wanted } from './credit-amounts.ts'
import { type LifeRow, noteLife } from './stored-life.ts'

/** A credit note in the shape it is stored and answered in. Amounts are what is given back. */
export type CreditNote = {
  id: string
  number: string
  kind: 'credit' | 'void'
  rebilled: boolean
  invoice: { id: string; number: string; period: string }
  tenant: string
  reason: string
  reference: string | null
  currency: string
  lines: { line_id: string | null; description: string; amount: string }[]
  subtotal: string
  taxes: { partner: string; name: string; percent: string; amount: string; period?: string }[]
  tax: string
  total: string
  issued_at: string
}
export type ToCredit = {
  kind: 'credit' | 'void'
  wanted: Wanted
  reason: string
  reference: string | null
  rebill: boolean
  by: string
}
type FrozenInvoice = { lines: InvoiceLine[]; taxes: (TaxLine & { partner: string })[] }

/**
 * Gives back a part or all of an issued invoice, in the transaction that holds it: number, bytes, posting and event.
 * Throws `credit_exceeds_invoice` where not enough is left, `credit_invalid` where the request names what is not there.
 */
export async function issueCreditNote(tx: Tx, invoice: LifeRow, asked: ToCredit, at: Date): Promise<CreditNote> {
  const { tenant, currency } = invoice
  const digits = currencyDigits(currency)
  const text = (amount: Decimal) => formatDecimal(amount, digits)
  const { left, whole } = await leftOf(tx, invoice)
  const credit = creditOf(left, asked.wanted, digits)
  if ('code' in credit) {
    const errors = [{ pointer: credit.pointer, code: credit.code, detail: credit.detail }]
    const code = credit.code === 'exceeds' ? 'credit_exceeds_invoice' : 'credit_invalid'
    throw billingError(code, `${credit.pointer} ${credit.detail}`, { errors })
  }
  const number = await takeNumber(tx)
  const note: CreditNote = {
    id: lineId(tenant, number, 'credit note'),
    number,
    kind: asked.kind,
    rebilled: asked.rebill,
    invoice: { id: invoice.id, number: invoice.number as string, period: invoice.period },
    tenant,
    reason: asked.reason,
    reference: asked.reference,
    currency,
    lines: shownLines(invoice, credit, left, whole).map((line) => ({ ...line, amount: text(line.amount) })),
    subtotal: text(credit.net),
    taxes: credit.taxes.map((one) => ({ ...one, amount: text(one.amount) })),
    tax: text(credit.tax),
    total: text(credit.total),
    issued_at: at.toISOString(),
  }
  const sha256 = await store(tx, note, credit.sides, asked, at)
  await postReversal(tx, note, credit.sides, at)
  const credited = formatDecimal(decimal(invoice.credited ?? '0') + credit.total)
  await noteLife(tx, invoice, { credited })
  fault('credit.after-posting')
  const { id: credit_note_id, subtotal, tax, total } = note
  const event = creditNoteIssued.create(
    {
      ...{ credit_note_id, number, kind: asked.rebill ? 'rebill' : asked.kind, invoice_id: invoice.id },
      ...{ invoice_number: note.invoice.number, tenant, period: invoice.period, currency, subtotal, tax, total },
      ...{ shares: credit.sides.map((side) => shareText(side, text)), sha256, issued_at: note.issued_at },
    },
    { source: SOURCE, now: at, subject: tenant },
  )
  await publish(tx, creditNoteIssued, [event])
  fault('credit.before-commit')
  return note
}

/** The first to take all shows the invoice's own lines; otherwise lines are those asked for, or one for the amount. */
function shownLines({ number }: LifeRow, credit: Credit, left: Left, whole: boolean) {
  if (credit.lines.length > 0) return credit.lines
  const lines = left.lines.map(({ id, description, amount }) => ({ line_id: id, description, amount }))
  const sum = lines.reduce((total, { amount }) => total + amount, 0n)
  const taken = credit.net === sum && credit.total === left.sides.reduce((total, side) => total + grossOf(side), 0n)
  if (whole && taken) return lines
  return [{ line_id: null, description: `${taken ? 'Rest' : 'Part'} of ${number}`, amount: credit.net }]
}

/** The lines and taxes that an issued invoice was frozen with. */
export async function frozenInvoice(tx: Tx, tenant: string, id: string): Promise<FrozenInvoice> {
  const sql = "select body from metering.invoices where tenant = ? and id = ? and status = 'issued'"
  const [frozen] = await rows<{ body: Buffer }>(tx, sql, [tenant, id])
  if (!frozen) throw new Error(`invoice ${id} is not issued`)
  return JSON.parse(frozen.body.toString('utf8')) as FrozenInvoice
}

/** What earlier credit notes have left of an invoice: its sides from the ledger, its lines and taxes from their bytes. */
async function leftOf(tx: Tx, { tenant, id }: LifeRow): Promise<{ left: Left; whole: boolean }> {
  const { lines, taxes } = await frozenInvoice(tx, tenant, id)
  const earlier = await rows<{ body: Buffer }>(
    tx,
    'select body from metering.credit_notes where tenant = ? and invoice_id = ?',
    [tenant, id],
  )
  const notes = earlier.map(({ body }) => JSON.parse(body.toString('utf8')) as CreditNote)
  const creditedLine = (line: string) => notes.flatMap((note) => note.lines.filter(({ line_id }) => line_id === line))
  const creditedTax = (tax: TaxLine) => notes.flatMap((note) => note.taxes.filter((one) => taxKey(one) === taxKey(tax)))
  const minus = (amount: string, given: readonly { amount: string }[]) =>
    given.reduce((rest, one) => rest - decimal(one.amount), decimal(amount))
  return {
    whole: notes.length === 0,
    left: {
      sides: await sidesOf(tx, tenant, id),
      lines: lines.map(({ id: line, partner, description, amount }) => ({
        ...{ id: line, partner, description },
        amount: minus(amount, creditedLine(line)),
      })),
      taxes: taxes.map(({ partner, name, percent, period, amount }, index) => ({
        ...{ partner, name, percent, ...(period === undefined ? {} : { period }) },
        amount: minus(amount, isFirst(taxes, index) ? creditedTax(taxes[index] as TaxLine) : []),
      })),
    },
  }
}

/** A tax may be there twice, of plans that round differently: what was given back is taken off the first. */
const isFirst = (taxes: readonly TaxLine[], index: number) =>
  taxes.findIndex((one) => taxKey(one) === taxKey(taxes[index] as TaxLine)) === index

const taxKey = ({ partner, name, percent, period }: Pick<TaxLine, 'partner' | 'name' | 'percent' | 'period'>) =>
  JSON.stringify([partner, name, percent, period ?? null])

type Account = 'partner_payable' | 'platform_fee' | 'tax_payable'

async function sidesOf(tx: Tx, tenant: string, invoiceId: string): Promise<Side[]> {
  const found = await rows<{ partner: string } & Record<Account, string>>(
    tx,
    `select partner, ${(['partner_payable', 'platform_fee', 'tax_payable'] satisfies Account[])
      .map((account) => `(-coalesce(sum(amount) filter (where account = '${account}'), 0))::text as ${account}`)
      .join(', ')}
     from metering.ledger
     where tenant = ? and invoice_id = ? and kind in ('invoice', 'credit_note') and partner is not null
     group by partner order by partner`,
    [tenant, invoiceId],
  )
  return found.map(({ partner, partner_payable, platform_fee, tax_payable }) => ({
    partner,
    partner_share: decimal(partner_payable),
    platform_fee: decimal(platform_fee),
    tax: decimal(tax_payable),
  }))
}

async function store(tx: Tx, note: CreditNote, sides: readonly Side[], { by }: ToCredit, at: Date): Promise<string> {
  const { tenant, id, number, currency } = note
  const text = (amount: Decimal) => formatDecimal(amount, currencyDigits(currency))
  const body = Buffer.from(JSON.stringify(note))
  const sha256 = createHash('sha256').update(body).digest('hex')
  await execute(
    tx,
    `insert into metering.credit_notes (tenant, id, invoice_id, number, kind, reason, reference, currency, total, body,
       sha256, issued_at, issued_by) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      ...[tenant, id, note.invoice.id, number, note.kind, note.reason, note.reference, currency, note.total, body],
      ...[sha256, at, by],
    ],
  )
  for (const side of sides)
    await execute(
      tx,
      `insert into metering.credit_note_shares (tenant, credit_note_id, partner, number, period, currency, gross,
         partner_share, platform_fee, tax, issued_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        ...[tenant, id, side.partner, number, note.invoice.period, currency, text(grossOf(side))],
        ...[side.partner_share, side.platform_fee, side.tax].map(text),
        at,
      ],
    )
  return sha256
}

/** The invoice's posting the other way round, for what is given back. */
async function postReversal(tx: Tx, note: CreditNote, sides: readonly Side[], at: Date): Promise<void> {
  const text = (amount: Decimal) => formatDecimal(amount, currencyDigits(note.currency))
  const entries = [
    { account: 'tenant_receivable' as const, amount: text(-decimal(note.total)) },
    ...sides.flatMap(({ partner, partner_share, platform_fee, tax }): Entry[] => [
      { account: 'partner_payable', partner, amount: text(partner_share) },
      { account: 'platform_fee', partner, amount: text(platform_fee) },
      { account: 'tax_payable', partner, amount: text(tax) },
    ]),
  ]
  const { tenant, id, currency } = note
  const named = { tenant, kind: 'credit_note' as const, invoice_id: note.invoice.id, document_id: id, currency }
  await post(tx, { ...named, entries }, at)
}

const grossOf = ({ partner_share, platform_fee, tax }: Side): Decimal => partner_share + platform_fee + tax

const shareText = (side: Side, text: (amount: Decimal) => string) => ({
  partner: side.partner,
  gross: text(grossOf(side)),
  partner_share: text(side.partner_share),
  platform_fee: text(side.platform_fee),
  tax: text(side.tax),
})

/** As for invoices: the row lock makes numbers gap-free, for a note that is rolled back gives its number back. */
async function takeNumber(tx: Tx): Promise<string> {
  const taken = await row<{ n: string }>(
    tx,
    `update metering.credit_note_sequence set last_number = last_number + 1 where seller = 'atom'
     returning last_number as n`,
  )
  return `ATOM-CN-${String(taken?.n).padStart(6, '0')}`
}
