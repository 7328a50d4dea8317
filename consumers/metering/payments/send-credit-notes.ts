import { beginNote, dueNotes, endNote, type NoteSend, planNotes } from './credit-note-sends.ts'
import type { PaymentDeps } from './deps.ts'
import type { PaymentGateway } from './gateway.ts'
import { unitsAfter } from './stripe-amounts.ts'
import { tellOnce } from './tell-once.ts'

const AT_ONCE = 20

/** Tells who collects of every credit note whose invoice was sent there. Returns how many were worked on. */
export async function sendCreditNotes(deps: PaymentDeps): Promise<number> {
  if (!deps.leads()) return 0
  const { gateway, allTenants, now } = deps
  await planNotes(allTenants, gateway === null ? 'dry_run' : 'pending', now())
  if (gateway === null) return 0
  let worked = 0
  // One after the other: notes of one invoice are to arrive in their order.
  for (let due = await dueNotes(allTenants, now(), AT_ONCE); due.length > 0 && deps.leads(); ) {
    for (const key of due) {
      const send = deps.leads() ? await beginNote(allTenants, key, now()) : null
      if (send) await tell(deps, gateway, send)
      worked += 1
    }
    due = await dueNotes(allTenants, now(), AT_ONCE)
  }
  return worked
}

async function tell(deps: PaymentDeps, gateway: PaymentGateway, send: NoteSend): Promise<void> {
  const { tenant, credit_note_id, attempts } = send
  const told = { what: 'a credit note', attempts, names: { tenant, credit_note_id } }
  await tellOnce(
    deps,
    told,
    () => take(gateway, send),
    (outcome, at) => endNote(deps.allTenants, send, outcome, at),
  )
}

/** Does it at the provider, or finds that it was done. Returns the provider's id of the note, null for a void. */
async function take(gateway: PaymentGateway, send: NoteSend): Promise<string | null> {
  const { action, credit_note_id: ref, invoice, attempts, key_generation } = send
  const key = `atom/${ref}/${action}/${key_generation}`
  if (action === 'void') {
    await gateway.voidInvoice(invoice, key)
    return null
  }
  const amount = unitsAfter(send.before, send.total, send.currency)
  return gateway.creditNote({ invoice, amount, ref }, { key, look: attempts > 1 })
}
