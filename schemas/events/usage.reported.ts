import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, DecimalText, OrgId, UtcTime, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'

/** One reported quantity as it travels: already checked at the edge, quantity and time in one canonical spelling. */
export const UsageRecord = closed({
  id: Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$' }),
  meter: Type.String({ minLength: 1, maxLength: 128 }),
  quantity: DecimalText,
  time: UtcTime,
  package: Type.Optional(Type.String({ minLength: 1, maxLength: 257 })),
  dimensions: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Type.String({ maxLength: 256 }))),
})

/**
 * One report of at most 1000 records of one tenant: a log row per report costs a hundredth of one per record. It is
 * empty when every record was refused: its receipt exists all the same.
 */
export const usageReported = defineEvent({
  type: 'usage.reported',
  version: 1,
  topic: topics.usage,
  description: 'Usage was reported for a tenant and is durable; it is not deduplicated or priced yet.',
  data: closed({
    report_id: Uuid,
    tenant: OrgId,
    reporter: OrgId,
    received_at: UtcTime,
    root: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    records: Type.Array(UsageRecord, { maxItems: 1000 }),
    /** Place of each record in the report as it was sent; absent where it is simply 0, 1, 2 … */
    indexes: Type.Optional(Type.Array(Type.Integer({ minimum: 0, maximum: 999 }), { maxItems: 1000 })),
  }),
  key: (data) => data.tenant,
  example: {
    report_id: '0192f6a0-0000-7000-8000-000000000002',
    tenant: 'acme',
    reporter: 'demo',
    received_at: '2026-11-02T10:00:00.000Z',
    root: 'd'.repeat(64),
    records: [
      {
        id: 'run-1',
        meter: 'workflow_runs',
        quantity: '3',
        time: '2026-11-02T09:59:00.000Z',
        package: 'restart-workers@1.0.0',
      },
    ],
  },
})
