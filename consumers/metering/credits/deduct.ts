import { uuidv7 } from 'uuidv7'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal, PLACES } from '../../../platform/decimal.ts'
import { currencyOf } from '../load-subscriptions.ts'
import { inOrderOfUse, paysFor } from '../rating/credits.ts'
import { currencyDigits } from '../rating/currency.ts'
import { type Taken, take } from './take.ts'
import { type Credit, lockWallet, openCredits } from './wallet.ts'

/** `meter` and `package` say what it is for: credits with a scope pay for nothing else. */
export type Deduction = { id: string; amount: string; meter?: string; package?: string }
/** `left`: what remains for deductions like this one. */
export type Outcome =
  | { is: 'taken' | 'repeated'; currency: string; credits: { id: string; amount: string }[]; left: string; at: Date }
  | Refused
export type Refused =
  | { is: 'insufficient'; currency: string; left: string }
  | { is: 'conflict' | 'tenant_unknown' }
  | { is: 'too_exact'; digits: number }
type Stored = { id: string; amount: string; meter: string | null; package: string | null; currency: string; at: Date }

/**
 * Takes several deductions of one tenant in the order they came, each wholly or not at all and each once by its id: one
 * lock, one change of each credit and one posting for all of them.
 */
export async function deductAll(tx: Tx, tenant: string, asked: readonly Deduction[], at: Date): Promise<Outcome[]> {
  await lockWallet(tx, tenant)
  const currency = await currencyOf(tx, tenant)
  const digits = currencyDigits(currency)
  const text = (amount: Decimal) => formatDecimal(amount, digits)
  const known = await knownOf(tx, tenant, asked)
  const credits = (await openCredits(tx, tenant, currency, at)).sort(inOrderOfUse)
  if (credits.length === 0 && !(await row(tx, 'select 1 from platform.orgs where org = ?', [tenant])))
    return asked.map(() => ({ is: 'tenant_unknown' }))
  const taken: Taken[] = []
  const made: Stored[] = []

  const outcomes = asked.map((one): Outcome => {
    const amount = decimal(one.amount)
    if (amount % 10n ** BigInt(PLACES - digits) !== 0n) return { is: 'too_exact', digits }
    const usable = credits.filter((credit) => paysFor(credit, partOf(one)))
    const left = () => text(usable.reduce((sum, credit) => sum + credit.left, 0n))
    const before = known.get(one.id)
    if (before && !isSame(before.stored, one)) return { is: 'conflict' }
    if (before) return { is: 'repeated', ...before.answer, left: left() }
    const uses = usesOf(amount, usable)
    if (!uses) return { is: 'insufficient', currency, left: left() }
    for (const { credit, amount: part } of uses) {
      credit.left -= part
      taken.push({ credit_id: credit.id, amount: part, on_account: part, deduction_id: one.id })
    }
    const stored = { meter: null, package: null, ...one, currency, at }
    const answer = { currency, at, credits: uses.map((use) => ({ id: use.credit.id, amount: text(use.amount) })) }
    made.push(stored)
    known.set(one.id, { stored, answer })
    return { is: 'taken', ...answer, left: left() }
  })

  if (made.length === 0) return outcomes
  await insertDeductions(tx, tenant, currency, made, at)
  const posting = { kind: 'credit_use' as const, document_id: uuidv7() }
  await take(tx, { tenant, currency, kind: 'deduction', taken, to: { account: 'tenant_receivable' }, posting }, at)
  return outcomes
}

/** What each of the credits gives, in the order of use; null where all of them are not enough. */
function usesOf(amount: Decimal, usable: readonly Credit[]): { credit: Credit; amount: Decimal }[] | null {
  const uses: { credit: Credit; amount: Decimal }[] = []
  let due = amount
  for (const credit of usable) {
    if (due === 0n) break
    const part = credit.left < due ? credit.left : due
    if (part === 0n) continue
    uses.push({ credit, amount: part })
    due -= part
  }
  return due === 0n ? uses : null
}

const partOf = ({ meter, package: of }: Deduction) => ({
  charge: '',
  ...(meter === undefined ? {} : { meter }),
  ...(of === undefined ? {} : { package: of }),
})

const isSame = (stored: Stored, one: Deduction): boolean =>
  decimal(stored.amount) === decimal(one.amount) &&
  stored.meter === (one.meter ?? null) &&
  stored.package === (one.package ?? null)

/** Deductions that were taken before under these ids, each with its answer. */
async function knownOf(tx: Tx, tenant: string, asked: readonly Deduction[]) {
  const ids = asked.map(({ id }) => id)
  const found = await rows<Stored & { credits: { id: string; amount: string }[] }>(
    tx,
    `select d.id, d.amount::text, d.meter, d.package, d.currency, d.at,
       (select jsonb_agg(jsonb_build_object('id', m.credit_id, 'amount', m.amount::text) order by m.id)
        from metering.credit_movements m where m.tenant = d.tenant and m.deduction_id = d.id) as credits
     from metering.credit_deductions d where d.tenant = ? and d.id = any(?::text[])`,
    [tenant, ids],
  )
  type Known = { stored: Stored; answer: { currency: string; at: Date; credits: { id: string; amount: string }[] } }
  return new Map(
    found.map(({ credits, ...stored }): [string, Known] => [
      stored.id,
      { stored, answer: { currency: stored.currency, at: stored.at, credits } },
    ]),
  )
}

async function insertDeductions(tx: Tx, tenant: string, currency: string, made: readonly Stored[], at: Date) {
  await execute(
    tx,
    `insert into metering.credit_deductions (tenant, id, currency, amount, meter, package, at)
     select ?, i, ?, a, m, p, ? from unnest(?::text[], ?::numeric[], ?::text[], ?::text[]) as d (i, a, m, p)`,
    [
      tenant,
      currency,
      at,
      made.map(({ id }) => id),
      made.map(({ amount }) => amount),
      made.map(({ meter }) => meter),
      made.map((one) => one.package),
    ],
  )
}
