import type { Workflow } from './answers.ts'
import { type CallOptions, pathSegment } from './call-options.ts'
import { request } from './request.ts'

/** A package version's metadata, status and reason. Another organisation's unpublished one is AtomError 404. */
export async function getWorkflow(id: string, token: string, options: CallOptions = {}): Promise<Workflow> {
  const path = `/wpk/${pathSegment('id', id)}`
  return request<Workflow>({ service: 'market', method: 'GET', path, token }, options)
}
