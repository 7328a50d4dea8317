/** What a failed request tells the reader: the parts of problem+json a person can act on. */
export type Problem = { title: string; detail: string; request_id: string | null }

/** Carries a Problem out of a failed request. */
export class RequestFailed extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.title)
    this.name = 'RequestFailed'
    this.problem = problem
  }
}

const textOf = (body: unknown, name: string): string | null => {
  if (typeof body !== 'object' || body === null) return null
  const value = (body as Record<string, unknown>)[name]
  return typeof value === 'string' && value !== '' ? value : null
}

/** Reads a refusal. A proxy between page and service may answer with HTML, so every part has a substitute. */
export const problemOf = (status: number, body: unknown): Problem => ({
  title: textOf(body, 'title') ?? `The request failed with HTTP status ${status}`,
  detail: textOf(body, 'detail') ?? 'The answer did not say why.',
  request_id: textOf(body, 'request_id'),
})

/** Turns whatever a request threw into a Problem. */
export const problemFrom = (thrown: unknown): Problem => {
  if (thrown instanceof RequestFailed) return thrown.problem
  const name = thrown instanceof Error ? thrown.name : ''
  if (name === 'TimeoutError')
    return { title: 'The portal did not answer in time', detail: 'The next refresh tries again.', request_id: null }
  if (name === 'UnexpectedShape')
    return {
      title: 'The portal sent an answer this page cannot read',
      detail: `${(thrown as Error).message}. Reload the page; if that does not help, page and service are of different versions.`,
      request_id: null,
    }
  return {
    title: 'The portal cannot be reached',
    detail: 'Check that it is running and that this machine is online. The next refresh tries again.',
    request_id: null,
  }
}
