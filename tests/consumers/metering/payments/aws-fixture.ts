import { openAwsMetering } from '../../../../consumers/metering/payments/aws-marketplace-client.ts'
import { awsRoutes } from '../../../../consumers/metering/payments/aws-routes.ts'
import { type AwsDeps, sendAwsUsage } from '../../../../consumers/metering/payments/send-aws-usage.ts'
import { startFakeAws } from '../../../support/fake-aws-metering.ts'
import { startService } from '../../../support/service.ts'
import { openBilling, type Problem, perUnit } from '../fixture.ts'

export const LICENSE = 'arn:aws:license-manager::294406891311:license:l-0001'
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'AKIAFAKE', AWS_SECRET_ACCESS_KEY: 'fake' }

export const mapping = (tenant = 'acme', license = LICENSE) => ({
  tenant,
  package: 'restart-workers',
  product: 'prod-1',
  license_arn: license,
  customer_account: '123456789012',
  dimensions: { runs: 'runs' },
})

/** Billing of acme and globex at 10:30, and an AWS Marketplace of our own that goes by the same clock. */
export async function openAwsBilling() {
  const before = { ...process.env }
  Object.assign(process.env, CREDENTIALS)
  const billing = await openBilling('2026-10-20T10:30:00Z')
  await billing.sell('restart-workers', perUnit('0.50'), ['acme', 'globex'])
  const fake = await startFakeAws(billing.clock)
  const deps: AwsDeps = {
    db: billing.deps.db,
    allTenants: billing.deps.allTenants,
    log: billing.deps.log,
    now: billing.clock,
    random: () => 0,
    meterUsage: openAwsMetering({ region: 'us-east-1', endpoint: fake.url }),
    leads: () => true,
  }
  const service = await startService(awsRoutes(deps), billing.organisations.authenticate)
  let sequence = 0
  return {
    billing,
    fake,
    deps,
    service,
    map: (json: object = mapping(), as = billing.tokens.finance) =>
      service.call<Problem>('POST', '/billing/aws/products', { as, json }),
    async use(quantity: string, time: string, as = billing.tokens.acme, name: string | null = 'restart-workers') {
      sequence += 1
      const record = { id: `u-${sequence}`, meter: 'runs', quantity, time, ...(name ? { package: name } : {}) }
      await billing.report([record], as)
      await billing.counted()
    },
    send: (more: Partial<AwsDeps> = {}) => sendAwsUsage({ ...deps, ...more }),
    windows: () =>
      billing.owner<{ state: string; quantity: string; last_error: string | null }>(
        `select state, quantity::text as quantity, last_error from metering.aws_windows order by window_end, tenant`,
      ),
    async close() {
      await service.close()
      await billing.close()
      await fake.close()
      for (const name of Object.keys(CREDENTIALS)) {
        if (before[name] === undefined) delete process.env[name]
        else process.env[name] = before[name]
      }
    },
  }
}
export type AwsBilling = Awaited<ReturnType<typeof openAwsBilling>>
