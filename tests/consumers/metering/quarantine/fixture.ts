import { expect } from 'chai'
import { publish } from '../../../../platform/bus/outbox.ts'
import type { EventDefinition } from '../../../../schemas/define-event.ts'
import { wpkBlocked } from '../../../../schemas/events/wpk.blocked.ts'
import { wpkPublished } from '../../../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../../../schemas/events/wpk.rejected.ts'
import { wpkYanked } from '../../../../schemas/events/wpk.yanked.ts'
import { type Billing, openBilling, type Problem } from '../fixture.ts'

export const PACKAGE = 'restart-workers'
export type Quarantine = {
  id: string
  package: string
  version: string | null
  publisher: string
  cause: string
  reason: string
  since: string | null
  until: string | null
  state: string
  decided_by?: string | null
  justification?: string | null
  decided_at: string | null
  records: number
  usage: { period: string; meter: string; quantity: string; records: number }[]
}

/** Billing in which versions of one package of `demo` come and go, as the marketplace's events tell. */
export async function openQuarantine(start?: string) {
  const billing: Billing = await openBilling(start)
  const reviewer = await billing.organisations.token('atom', 'reviewer')

  /** Tells an event of the package's life, as the marketplace does, and waits until metering has it. */
  async function say<D>(definition: EventDefinition<D>, data: object): Promise<void> {
    const of = { id: '0192f6a0-0000-7000-8000-000000000001', org: 'demo', name: PACKAGE, ...data }
    const event = definition.create({ ...of, digest: `sha256:${'a'.repeat(64)}` } as D, {
      source: '//test',
      now: billing.clock(),
    })
    await billing.database.as('atom_marketplace').transaction((tx) => publish(tx, definition, [event]))
    await billing.counted()
  }
  const published = (version: string) =>
    say(wpkPublished, { version, published_at: billing.clock().toISOString(), approver: 'reviewer@atom' })
  const rejected = (version: string) => say(wpkRejected, { version, reason: 'Mounts the host.' })
  const yanked = (version: string) => say(wpkYanked, { version, reason: 'Loses jobs.', by: 'partner@demo' })
  const blocked = (version: string) => say(wpkBlocked, { version, reason: 'Sends secrets.', by: 'reviewer@atom' })

  let reported = 0
  /** Reports one record of `runs` and says what its receipt calls it. */
  async function use(version: string, quantity: string, time: string, tenant: 'acme' | 'globex' = 'acme') {
    reported += 1
    const record = {
      id: `used-${reported}`,
      meter: 'runs',
      quantity,
      time,
      package: `${PACKAGE}${version && '@'}${version}`,
    }
    const { report_id } = await billing.report([record], billing.tokens[tenant])
    await billing.counted()
    return receipt(report_id)
  }
  async function receipt(id: string) {
    const { body } = await billing.call<{ records: { status: string }[] }>('GET', `/usage/receipts/${id}`, {
      as: billing.tokens.finance,
    })
    return { id, status: body.records[0]?.status }
  }
  async function list(as = reviewer, query = ''): Promise<Quarantine[]> {
    const { status, body } = await billing.call<{ quarantines: Quarantine[] }>('GET', `/billing/quarantines${query}`, {
      as,
    })
    expect(status).to.equal(200)
    return body.quarantines
  }
  const decide = (id: string, decision: string, as = reviewer) =>
    billing.call<Problem & { state: string; tenants: number; periods: string[] }>(
      'POST',
      `/billing/quarantines/${id}`,
      { as, json: { decision, justification: 'Seen with the publisher.' } },
    )
  const decideOn = async (version: string | null, decision: string) => {
    const found = (await list(reviewer, '?state=quarantined')).find((one) => one.version === version)
    const { status, body } = await decide(found?.id ?? '', decision)
    expect(status, JSON.stringify(body)).to.equal(200)
    return body
  }
  return { billing, reviewer, published, rejected, yanked, blocked, use, receipt, list, decide, decideOn }
}
export type QuarantineWorld = Awaited<ReturnType<typeof openQuarantine>>
