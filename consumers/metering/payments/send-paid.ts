import type { PaymentDeps } from './deps.ts'
import { beginPaid, duePaid, endPaid, planPaid } from './paid-sends.ts'
import { sendCreditNotes } from './send-credit-notes.ts'
import { tellOnce } from './tell-once.ts'

const AT_ONCE = 20

/** Tells who collects of credit notes, then of what was paid by other means. Returns how many were worked on. */
export const sendChanges = async (deps: PaymentDeps): Promise<number> =>
  (await sendCreditNotes(deps)) + (await sendPaid(deps))

/** Tells who collects which invoices were paid by hand, so that nobody is asked for money twice. */
export async function sendPaid(deps: PaymentDeps): Promise<number> {
  const { gateway, allTenants, now } = deps
  if (gateway === null || !deps.leads()) return 0
  await planPaid(allTenants, now())
  let worked = 0
  for (let due = await duePaid(allTenants, now(), AT_ONCE); due.length > 0 && deps.leads(); ) {
    for (const key of due) {
      const send = deps.leads() ? await beginPaid(allTenants, key, now()) : null
      if (send) {
        const { tenant, invoice_id, attempts, key_generation } = send
        const told = { what: 'a payment by hand', attempts, names: { tenant, invoice_id } }
        const pay = () => gateway.markPaid(send.invoice, `atom/${invoice_id}/paid/${key_generation}`).then(() => null)
        await tellOnce(deps, told, pay, (outcome, at) => endPaid(allTenants, send, outcome, at))
      }
      worked += 1
    }
    due = await duePaid(allTenants, now(), AT_ONCE)
  }
  return worked
}
