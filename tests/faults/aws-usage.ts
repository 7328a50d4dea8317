import { setTimeout as pause } from 'node:timers/promises'
import { type FakeAws, startFakeAws } from '../support/fake-aws-metering.ts'
import { METER, PACKAGE } from './load.ts'
import type { Finding } from './oracle.ts'
import type { Stage } from './stage.ts'
import type { Running } from './world.ts'

const LIMIT_MS = 60_000
const HOUR_MS = 3_600_000

/** An AWS Marketplace of our own for one point, and the settings with which a process meters to it. */
export async function openAws(): Promise<{ fake: FakeAws; env: Record<string, string> }> {
  const fake = await startFakeAws(() => new Date())
  const credentials = { AWS_ACCESS_KEY_ID: 'AKIAFAULTS', AWS_SECRET_ACCESS_KEY: 'faults' }
  return { fake, env: { ...credentials, ATOM_AWS_METERING: 'on', ATOM_AWS_ENDPOINT: fake.url } }
}

/** Usage of closed hours that AWS bills: 2.5 and 1.75, which are windows of 2 and 2. */
export async function meterTo(stage: Stage, fake: FakeAws, tenant: string) {
  const { owner } = stage.world
  const license = `arn:aws:license:${tenant}`
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
    [tenant, PACKAGE, METER, license, at(5), at(5)],
  )
  return {
    async finish(_recovered: Running): Promise<Finding> {
      const deadline = performance.now() + LIMIT_MS
      let sent = 0
      while (sent < 2 && performance.now() < deadline) {
        const [found] = await owner.query<{ n: number }>(
          "select count(*)::int as n from metering.aws_windows where tenant = ? and state = 'sent'",
          [tenant],
        )
        sent = found?.n ?? 0
        await pause(50)
      }
      const total = fake.total(license)
      await fake.close()
      const lost = Math.max(0, 4 - total)
      const double = Math.max(0, total - 4)
      const wrong = sent === 2 && total === 4 ? [] : [`${sent} windows sent, ${total} metered instead of 4`]
      return { acknowledged: 4, counted: total, lost, double, wrong }
    },
  }
}
