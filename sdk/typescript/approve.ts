import type { ReviewAnswer } from './answers.ts'
import { AtomError, invalidArgument } from './atom-error.ts'
import { type CallOptions, pathSegment } from './call-options.ts'
import { getWorkflow } from './get-workflow.ts'
import { request } from './request.ts'

/**
 * Approves a package version in review (role reviewer); the justification is recorded. The status stays `in_review`
 * where a second person has to approve too (a critical finding). Throws AtomError 409 when it was decided or is claimed
 * by another, 403 for a package of the reviewer's own organisation.
 */
export async function approve(
  id: string,
  token: string,
  justification: string,
  options: CallOptions = {},
): Promise<ReviewAnswer> {
  const path = `/wpk/review/${pathSegment('id', id)}`
  if (!justification.trim()) throw invalidArgument('An approval needs a justification')
  const body = { decision: 'approve', justification }
  try {
    return await request<ReviewAnswer>({ service: 'market', method: 'POST', path, token, body }, options)
  } catch (error) {
    // After a lost answer the retry meets our own decision as a 409: what is in force says whether it was made.
    if (!(error instanceof AtomError) || error.status !== 409 || error.attempts < 2) throw error
    const { status } = await getWorkflow(id, token, options)
    if (status !== 'approved' && status !== 'published') throw error
    return { id, status }
  }
}
