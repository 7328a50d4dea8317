import type { Verdict } from './answers.ts'
import { type CallOptions, pathSegment } from './call-options.ts'
import { request } from './request.ts'

/** The analyzer's verdict on a package version: risk, and each violation with its place in the document. */
export async function getVerdict(id: string, token: string, options: CallOptions = {}): Promise<Verdict> {
  const path = `/wpk/${pathSegment('id', id)}/verdict`
  return request<Verdict>({ service: 'market', method: 'GET', path, token }, options)
}
