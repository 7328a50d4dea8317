import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, DecimalText, OrgId, Period, UtcTime, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'
import { InvoiceShare } from './invoice.updated.ts'

/** Something of an issued invoice was given back. Amounts are what is taken off, above zero unless it had none to give. */
export const creditNoteIssued = defineEvent({
  type: 'credit_note.issued',
  version: 1,
  topic: topics.billing,
  description: 'A part or all of an issued invoice was given back.',
  data: closed({
    credit_note_id: Uuid,
    number: Type.String(),
    /** `void` takes back all that was left; `rebill` does so to have the next invoice bill it anew. */
    kind: Type.Union([Type.Literal('credit'), Type.Literal('void'), Type.Literal('rebill')]),
    invoice_id: Uuid,
    invoice_number: Type.String(),
    tenant: OrgId,
    period: Period,
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    subtotal: DecimalText,
    tax: DecimalText,
    total: DecimalText,
    shares: Type.Array(InvoiceShare),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    issued_at: UtcTime,
  }),
  key: (data) => data.tenant,
  example: {
    credit_note_id: '0192f6a0-0000-7000-8000-000000000004',
    number: 'ATOM-CN-000001',
    kind: 'credit' as const,
    invoice_id: '0192f6a0-0000-7000-8000-000000000003',
    invoice_number: 'ATOM-000001',
    tenant: 'acme',
    period: '2026-11',
    currency: 'USD',
    subtotal: '0.50',
    tax: '0.00',
    total: '0.50',
    shares: [{ partner: 'demo', gross: '0.50', partner_share: '0.40', platform_fee: '0.10', tax: '0.00' }],
    sha256: 'e'.repeat(64),
    issued_at: '2026-12-03T10:00:00.000Z',
  },
})
