/** What the demo organisations publish, at which price, and who uses it. Numbers are small enough to check by hand. */
export type DemoOrg = 'demo' | 'acme'
export type DemoPackage = { publisher: DemoOrg; file: string; approve: string | null }
export type DemoSubscription = { tenant: DemoOrg; partner: DemoOrg; package: string; plan: object; usage: DemoUsage[] }
/** `perDay` is the quantity of each of the day's records; `times` are the hours of the day they fall on. */
export type DemoUsage = { meter: string; perDay: string; times: readonly number[] }

export const demoPackages: readonly DemoPackage[] = [
  { publisher: 'demo', file: 'restart-workers.yaml', approve: 'Asks before it restarts, and can roll back.' },
  { publisher: 'demo', file: 'scale-web.json', approve: 'Bounded by max_replicas, asks before it acts.' },
  { publisher: 'acme', file: 'rotate-database-secret.yaml', approve: 'Secrets stay references; asks before it acts.' },
  // Runs by itself: stays in the queue, so that a reviewer finds something to decide.
  { publisher: 'acme', file: 'check-backups.json', approve: null },
]

const BUSINESS_HOURS = [8, 12, 16, 20] as const

export const demoSubscriptions: readonly DemoSubscription[] = [
  {
    tenant: 'demo',
    partner: 'acme',
    package: 'rotate-database-secret',
    plan: {
      name: 'acme standard',
      currency: 'USD',
      charges: [
        { id: 'rotations', meter: 'secret_rotations', model: 'per_unit', unit_amount: '0.25' },
        {
          id: 'calls',
          meter: 'vault_calls',
          model: 'graduated',
          tiers: [
            { up_to: '1000', unit_amount: '0.01' },
            { up_to: null, unit_amount: '0.005' },
          ],
        },
      ],
    },
    usage: [
      { meter: 'secret_rotations', perDay: '2', times: BUSINESS_HOURS },
      { meter: 'vault_calls', perDay: '12.5', times: BUSINESS_HOURS },
    ],
  },
  {
    tenant: 'acme',
    partner: 'demo',
    package: 'restart-workers',
    plan: {
      name: 'demo standard',
      currency: 'USD',
      charges: [{ id: 'runs', meter: 'workflow_runs', model: 'per_unit', unit_amount: '0.05' }],
      taxes: [{ name: 'VAT', percent: '19' }],
    },
    usage: [{ meter: 'workflow_runs', perDay: '10', times: BUSINESS_HOURS }],
  },
  {
    tenant: 'acme',
    partner: 'demo',
    package: 'scale-web',
    plan: {
      name: 'demo scaling',
      currency: 'USD',
      charges: [
        {
          id: 'steps',
          meter: 'scale_steps',
          model: 'graduated',
          tiers: [
            { up_to: '100', unit_amount: '0.10', flat_amount: '5' },
            { up_to: null, unit_amount: '0.04' },
          ],
        },
      ],
      taxes: [{ name: 'VAT', percent: '19' }],
    },
    usage: [{ meter: 'scale_steps', perDay: '1', times: BUSINESS_HOURS }],
  },
]
