import type { WorkflowStatus, WorkflowSummary } from './answers.ts'
import { AtomError } from './atom-error.ts'
import type { CallOptions } from './call-options.ts'
import { request } from './request.ts'

export interface WorkflowQuery {
  status?: WorkflowStatus
  q?: string
  tag?: string
  publisher?: string
  /** Page size, at most 500; it does not limit how many are listed. */
  limit?: number
}

export interface ListOptions extends CallOptions {
  /** Shows the organisation's own unpublished packages too. */
  token?: string | undefined
}

export interface WorkflowList extends AsyncIterable<WorkflowSummary> {
  /** All of them, or the first `max`. */
  toArray(limits?: { max?: number }): Promise<WorkflowSummary[]>
}

interface Page {
  wpks: WorkflowSummary[]
  next?: string | null
}

/** The marketplace's packages, fetched page by page as they are read; each iteration starts at the beginning. */
export function listWorkflows(query: WorkflowQuery = {}, options: ListOptions = {}): WorkflowList {
  const iterate = () => pages(query, options)
  return {
    [Symbol.asyncIterator]: iterate,
    async toArray({ max = Number.POSITIVE_INFINITY } = {}) {
      const found: WorkflowSummary[] = []
      if (max <= 0) return found
      for await (const workflow of iterate()) {
        found.push(workflow)
        if (found.length >= max) break
      }
      return found
    },
  }
}

async function* pages(query: WorkflowQuery, options: ListOptions): AsyncGenerator<WorkflowSummary> {
  let cursor: string | undefined
  for (;;) {
    const page = await request<Page>(
      { service: 'market', method: 'GET', path: '/wpk/list', query: { ...query, cursor }, token: options.token },
      options,
    )
    yield* page.wpks
    if (!page.next) return
    if (page.next === cursor) {
      const detail = 'The service gave the same page cursor twice; stopping rather than listing forever'
      throw new AtomError({ code: 'cursor_loop', title: 'Listing does not end', detail })
    }
    cursor = page.next
  }
}
