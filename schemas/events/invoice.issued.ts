import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed } from '../envelope.ts'
import { topics } from '../topics.ts'
import { InvoiceSnapshot, invoiceUpdated } from './invoice.updated.ts'

/** An invoice got its number and will never change again; `sha256` is of its stored bytes. */
export const invoiceIssued = defineEvent({
  type: 'invoice.issued',
  version: 1,
  topic: topics.billing,
  description: 'An invoice was numbered and frozen.',
  data: closed({
    ...InvoiceSnapshot.properties,
    number: Type.String(),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  }),
  key: (data) => data.tenant,
  example: { ...invoiceUpdated.example, status: 'issued' as const, number: 'ATOM-000001', sha256: 'e'.repeat(64) },
})
