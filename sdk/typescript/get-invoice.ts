import type { Invoice } from './answers.ts'
import { type CallOptions, pathSegment } from './call-options.ts'
import { request } from './request.ts'

export interface InvoiceOptions extends CallOptions {
  /** `YYYY-MM`; without it the current month, live (status `gathering`). */
  period?: string | undefined
}

/** A tenant's invoice of one month. Another organisation's is AtomError 404. */
export async function getInvoice(tenant: string, token: string, options: InvoiceOptions = {}): Promise<Invoice> {
  const path = `/billing/invoice/${pathSegment('tenant', tenant)}`
  const query = { period: options.period }
  return request<Invoice>({ service: 'billing', method: 'GET', path, query, token }, options)
}
