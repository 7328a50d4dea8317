import { setTimeout as pause } from 'node:timers/promises'
import { type FakeAws, startFakeAws } from '../support/fake-aws-metering.ts'
import type { Driving } from './drives.ts'
import { METER, PACKAGE } from './load.ts'
import type { Finding } from './oracle.ts'
import type { Stage } from './stage.ts'

const LIMIT_MS = 60_000
const HOUR_MS = 3_600_000

/** Usage that is metered to an AWS Marketplace of our own. */
export function metering(stage: Stage): Driving {
  let fake: FakeAws | undefined
  return {
    services: ['billing'],
    async env() {
      fake ??= await startFakeAws(() => new Date())
      const credentials = { AWS_ACCESS_KEY_ID: 'AKIAFAULTS', AWS_SECRET_ACCESS_KEY: 'faults' }
      return { ...credentials, ATOM_AWS_METERING: 'on', ATOM_AWS_ENDPOINT: fake.url }
    },
    push: (_server, name) => useOnce(stage, name),
    finish: (_last, name) => found(stage, fake as FakeAws, name),
    async close() {
      await fake?.close()
    },
  }
}

/** Usage of closed hours that AWS bills: 2.5 and 1.75, which are windows of 2 and 2. */
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
    `insert into metering.aws_products (tenant, package, meter, product, license_arn, customer_account, dimension, since, planned_until)
     values (?, ?, ?, 'faults', ?, '123456789012', 'units', ?, ?)`,
    [tenant, PACKAGE, METER, licenseOf(tenant), at(5), at(5)],
  )
}

async function found({ world: { owner } }: Stage, fake: FakeAws, tenant: string): Promise<Finding> {
  const deadline = performance.now() + LIMIT_MS
  let sent = 0
  while (sent < 2 && performance.now() < deadline) {
    const [now] = await owner.query<{ n: number }>(
      "select count(*)::int as n from metering.aws_windows where tenant = ? and state = 'sent'",
      [tenant],
    )
    sent = now?.n ?? 0
    await pause(50)
  }
  const total = fake.total(licenseOf(tenant))
  const lost = Math.max(0, 4 - total)
  const double = Math.max(0, total - 4)
  const wrong = sent === 2 && total === 4 ? [] : [`${sent} windows sent, ${total} metered instead of 4`]
  return { acknowledged: 4, counted: total, lost, double, wrong }
}

const licenseOf = (tenant: string) => `arn:aws:license:${tenant}`
