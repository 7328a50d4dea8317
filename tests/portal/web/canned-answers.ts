export type Canned = { status: number; body: unknown }
export type CannedAnswers = { revenue: Canned; usage: Canned; packages: Canned }

const fresh = { as_of: '2026-11-23T14:03:07.412Z', lag_seconds: 2 }

const month = (
  name: string,
  gross: string,
  partner_share: string,
  platform_fee: string,
  tax: string,
  invoices: number,
) => ({
  month: name,
  gross,
  partner_share,
  platform_fee,
  tax,
  invoices,
})

/** Two partners, six months with one credited, priced and unpriced usage, packages in every kind of state. */
export const loaded: CannedAnswers = {
  revenue: {
    status: 200,
    body: {
      ...fresh,
      currency: 'EUR',
      months: [
        month('2026-11', '1890.40', '1270.50', '317.65', '302.25', 3),
        month('2026-06', '310.00', '208.40', '52.10', '49.50', 2),
        month('2026-07', '905.75', '608.90', '152.25', '144.60', 2),
        month('2026-08', '-42.00', '-28.25', '-7.05', '-6.70', 1),
        month('2026-09', '1204.10', '809.45', '202.40', '192.25', 4),
        month('2026-10', '2012.50', '1352.90', '338.25', '321.35', 4),
      ],
    },
  },
  usage: {
    status: 200,
    body: {
      ...fresh,
      lag_seconds: 340,
      rows: [
        {
          tenant: 'demo',
          meter: 'workflow_runs',
          package: 'restart-workers@1.0.0',
          period: '2026-11',
          quantity: '1234567.000',
          amount: '1234.56',
          currency: 'EUR',
        },
        {
          tenant: 'demo',
          meter: 'workflow_runs',
          package: 'restart-workers@1.0.0',
          period: '2026-10',
          quantity: '617283.500',
          amount: '617.28',
          currency: 'EUR',
        },
        {
          tenant: 'acme',
          meter: 'compute_seconds',
          package: null,
          period: '2026-11',
          quantity: '86400.25',
          amount: null,
          currency: null,
        },
        {
          tenant: 'acme',
          meter: 'api_calls',
          package: 'rotate-logs',
          period: '2026-11',
          quantity: '9007199254740993',
          amount: '4.20',
          currency: 'EUR',
        },
      ],
    },
  },
  packages: {
    status: 200,
    body: {
      ...fresh,
      packages: [
        {
          id: '0192f6a0-0000-7000-8000-000000000001',
          name: 'restart-workers',
          version: '1.0.0',
          publisher: 'demo',
          status: 'published',
          risk_score: 0.2996,
          decision: 'pass',
          violations: [],
          published_at: '2026-11-02T10:00:00Z',
          updated_at: '2026-11-02T10:00:00Z',
        },
        {
          id: '0192f6a0-0000-7000-8000-000000000002',
          name: 'cluster-maintenance-nightly',
          version: '2.1.0-rc.1',
          publisher: 'acme',
          status: 'in_review',
          risk_score: 0.62,
          decision: 'review',
          violations: [
            { rule_id: 'WPK-P3-002', severity: 'medium', pointer: '', message: 'Rollback is switched off.' },
            {
              rule_id: 'WPK-P3-005',
              severity: 'critical',
              pointer: '/spec/handlers/0/config/command',
              message: 'The command pipes a download into a shell <script>alert(1)</script>.',
            },
          ],
          published_at: null,
          updated_at: '2026-11-22T10:00:00Z',
        },
        {
          id: '0192f6a0-0000-7000-8000-000000000003',
          name: 'drain-node',
          version: '0.3.1',
          publisher: 'acme',
          status: 'scanning',
          risk_score: null,
          decision: null,
          violations: [],
          published_at: null,
          updated_at: '2026-11-23T14:03:00Z',
        },
        {
          id: '0192f6a0-0000-7000-8000-000000000004',
          name: 'mine-coins',
          version: '1.0.0',
          publisher: 'acme',
          status: 'rejected',
          risk_score: 0.97,
          decision: 'block',
          violations: [
            {
              rule_id: 'WPK-P2-001',
              severity: 'high',
              pointer: '/spec/handlers/0/config/image',
              message: 'The image is a known miner.',
            },
          ],
          published_at: null,
          updated_at: '2026-11-21T10:00:00Z',
        },
      ],
    },
  },
}

export const empty: CannedAnswers = {
  revenue: { status: 200, body: { ...fresh, currency: 'EUR', months: [] } },
  usage: { status: 200, body: { ...fresh, rows: [] } },
  packages: { status: 200, body: { ...fresh, packages: [] } },
}

const refused: Canned = {
  status: 503,
  body: {
    type: 'https://atom.example/problems/projection_unavailable',
    title: 'The figures are not ready',
    status: 503,
    detail: 'The projection is being rebuilt and answers again in about 20 s.',
    instance: '/analytics/revenue',
    code: 'projection_unavailable',
    request_id: '0192f6a0-1111-7000-8000-00000000beef',
    errors: [],
  },
}

export const failing: CannedAnswers = { revenue: refused, usage: refused, packages: refused }
