import type { WorkflowSummary } from './answers.ts'
import type { ListOptions } from './list-workflows.ts'
import { request } from './request.ts'

/**
 * The best published version of a package for a range (`^1.2.0`; without one, any release). AtomError 404
 * `no_version_fits` when there is none, and `not_found` when the caller sees no package of this name.
 */
export async function resolveWPK(name: string, range = '*', options: ListOptions = {}): Promise<WorkflowSummary> {
  const call = { service: 'market', method: 'GET', path: '/wpk/resolve', query: { name, range } } as const
  return request<WorkflowSummary>({ ...call, token: options.token }, options)
}
