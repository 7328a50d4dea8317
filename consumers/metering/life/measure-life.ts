import type { Db } from '../../../platform/db.ts'
import type { Metrics } from '../../../platform/metrics.ts'

/** Measures invoices that wait for somebody, and how far telling of credit notes has come. */
export function measureLife(allTenants: Db, metrics: Metrics): () => Promise<void> {
  const held = metrics.gauge('atom_invoices_held', 'Invoices that are not issued, by what holds them', ['state'])
  const told = metrics.gauge('atom_credit_note_sends', 'Credit notes by how far telling who collects has come', [
    'state',
  ])
  return async () => {
    const [counts = {}] = await allTenants.query<Record<string, number>>(
      `select count(*) filter (where approval_asked_at is not null and approved_at is null)::int as awaiting_approval,
         count(*) filter (where parked_code is not null)::int as parked,
         count(*) filter (where issue_error is not null)::int as issue_failed
       from metering.invoice_life where due_at is null`,
    )
    for (const [state, n] of Object.entries(counts)) held.set({ state }, n)
    told.reset()
    const sends = await allTenants.query<{ state: string; n: number }>(
      'select state, count(*)::int as n from metering.credit_note_sends group by state order by 1',
    )
    for (const { state, n } of sends) told.set({ state }, n)
  }
}
