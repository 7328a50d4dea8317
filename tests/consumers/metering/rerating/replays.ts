import { expect } from 'chai'
import { nextRerating } from '../../../../consumers/metering/rerating/rerating-rows.ts'
import { type ReratingDeps, reratingStep } from '../../../../consumers/metering/rerating/rerating-step.ts'
import type { Billing } from '../fixture.ts'

type Told = { quantity?: string; amount: string } | null
export type Compared = {
  tenant: string
  currency: string
  compared_with: string
  invoice: { number: string | null } | null
  lines: { status: string; meter?: string; kind: string; log: Told; invoice: Told; difference: string }[]
  totals: { log: { total: string }; invoice: { total: string }; difference: string }
  differing: number
  drift: string
  hours: { hour: string; meter: string; log: object | null; counted: object | null }[]
  differing_hours: number
  why: { code: string; amount?: string }[]
}
export type ReplayView = {
  replay_id: string
  status_url: string
  state: string
  complete: boolean | null
  covers: { from: string | null; to: string | null } | null
  progress: { events: number; of: number | null; records: number; left_out: number }
  not_yet_counted?: { events: number; dead_letters: number }
  error?: { code: string; detail: string }
  result: {
    tenants: number
    failed_tenants: number
    differing_tenants: number
    differing_lines: number
    differing_hours: number
    differences: { currency: string; difference: string; drift: string }[]
  }
  tenants: Compared[]
}

export const reratingDeps = ({ deps }: Billing): ReratingDeps => deps

/** Every step that is to be done, as the worker does them. */
export async function workOff(billing: Billing, maxRecords = 2): Promise<void> {
  const deps = reratingDeps(billing)
  for (let left = 1_000; left > 0; left -= 1) {
    const rerating = await nextRerating(deps.allTenants)
    if (!rerating) return
    await reratingStep(deps, rerating, maxRecords)
  }
  throw new Error('a replay does not end')
}

export async function ask(billing: Billing, json: object): Promise<ReplayView> {
  const { status, body } = await billing.call<ReplayView>('POST', '/billing/replay', {
    as: billing.tokens.finance,
    json,
  })
  expect(status, JSON.stringify(body)).to.equal(202)
  return body
}

export const look = async (billing: Billing, { status_url }: ReplayView): Promise<ReplayView> =>
  (await billing.call<ReplayView>('GET', status_url, { as: billing.tokens.finance })).body

/** A replay from the request to its end. */
export async function replay(billing: Billing, json: object): Promise<ReplayView> {
  const asked = await ask(billing, json)
  await workOff(billing)
  const done = await look(billing, asked)
  expect(done.state, JSON.stringify(done.error)).to.equal('done')
  return done
}
