import type { PaymentDeps } from './deps.ts'
import type { PaymentGateway } from './gateway.ts'
import { beginPaid, duePaid, endPaid, type PaidSend, planPaid, planParts } from './paid-sends.ts'
import { sendCreditNotes } from './send-credit-notes.ts'
import { unitsAfter } from './stripe-amounts.ts'
import { tellOnce } from './tell-once.ts'

const AT_ONCE = 20

/** Tells who collects of credit notes, then of what was paid by other means. Returns how many were worked on. */
export const sendChanges = async (deps: PaymentDeps): Promise<number> =>
  (await sendCreditNotes(deps)) + (await sendPaid(deps))

/** Tells who collects which invoices were paid by hand, so that nobody is asked for money twice. */
export async function sendPaid(deps: PaymentDeps): Promise<number> {
  const { gateway, allTenants, now } = deps
  if (gateway === null || !deps.leads()) return 0
  await planParts(allTenants, now())
  await planPaid(allTenants, now())
  let worked = 0
  for (let due = await duePaid(allTenants, now(), AT_ONCE); due.length > 0 && deps.leads(); ) {
    for (const key of due) {
      const send = deps.leads() ? await beginPaid(allTenants, key, now()) : null
      if (send) {
        const { tenant, invoice_id, attempts } = send
        const told = { what: 'a payment by hand', attempts, names: { tenant, invoice_id } }
        const pay = () => tellPaid(gateway, send).then(() => null)
        await tellOnce(deps, told, pay, (outcome, at) => endPaid(allTenants, send, outcome, at))
      }
      worked += 1
    }
    due = await duePaid(allTenants, now(), AT_ONCE)
  }
  return worked
}

async function tellPaid(gateway: PaymentGateway, send: PaidSend): Promise<void> {
  const { invoice_id, invoice, payment_id, key_generation, attempts, currency, amount, before, paid_at, recorded_at } =
    send
  if (payment_id === null || amount === null || paid_at === null || recorded_at === null)
    return gateway.markPaid(invoice, `atom/${invoice_id}/paid/${key_generation}`)
  const units = unitsAfter(before, amount, currency)
  // Less than the smallest coin there: it is in the part that comes next.
  if (units === 0n) return
  const part = { invoice, ref: payment_id, amount: units, currency, paidAt: paid_at, since: recorded_at }
  await gateway.payPart(part, { key: `atom/${payment_id}/part/${key_generation}`, look: attempts > 1 })
}
