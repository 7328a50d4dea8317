import { setTimeout as pause } from 'node:timers/promises'
import { type FakeStripe, startFakeStripe } from '../support/fake-stripe.ts'
import type { Driving } from './drives.ts'
import { METER, PACKAGE } from './load.ts'
import type { Finding } from './oracle.ts'
import type { Stage } from './stage.ts'

const LIMIT_MS = 60_000
const HOUR_MS = 3_600_000

/** Usage that is told to meters of a Stripe of our own. */
export function telling(stage: Stage): Driving {
  let fake: FakeStripe | undefined
  return {
    services: ['billing'],
    async env() {
      fake ??= await startFakeStripe()
      return { STRIPE_KEY: fake.secretKey, STRIPE_API_BASE: fake.url }
    },
    push: (_server, name) => useOnce(stage, name),
    finish: (_last, name) => found(stage, fake as FakeStripe, name),
    async close() {
      await fake?.close()
    },
  }
}

/** Usage of closed hours that a meter bills: 2.5 and 1.75, which are windows of 2 and 2. */
async function useOnce(stage: Stage, tenant: string): Promise<void> {
  const { owner } = stage.world
  const hour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
  const at = (ago: number) => new Date(hour - ago * HOUR_MS)
  await owner.query("insert into platform.orgs values (?, ?, 'member', now())", [tenant, tenant])
  for (const [ago, quantity] of [
    [4, '2.5'],
    [3, '1.75'],
  ] as const)
    await owner.query(
      `insert into metering.rollups (tenant, hour, meter, package, dimensions, dimensions_key, quantity, records)
       values (?, ?, ?, ?, '{}', '', ?, 1)`,
      [tenant, at(ago), METER, PACKAGE, quantity],
    )
  await owner.query(
    `insert into metering.stripe_meters (id, tenant, package, meter, event_name, since, planned_until, created_at)
     values (gen_random_uuid(), ?, ?, ?, 'units', ?, ?, now())`,
    [tenant, PACKAGE, METER, at(5), at(5)],
  )
}

async function found({ world: { owner } }: Stage, fake: FakeStripe, tenant: string): Promise<Finding> {
  const deadline = performance.now() + LIMIT_MS
  let sent = 0
  while (sent < 2 && performance.now() < deadline) {
    const [now] = await owner.query<{ n: number }>(
      "select count(*)::int as n from metering.stripe_meter_windows where tenant = ? and state = 'sent'",
      [tenant],
    )
    sent = now?.n ?? 0
    await pause(50)
  }
  const total = fake.metered(tenant, 'units')
  const wrong = sent === 2 && total === 4 ? [] : [`${sent} windows sent, ${total} told instead of 4`]
  return { acknowledged: 4, counted: total, lost: Math.max(0, 4 - total), double: Math.max(0, total - 4), wrong }
}
