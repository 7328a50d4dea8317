import { problemOf, RequestFailed } from './problem.ts'

// Twice the refresh interval: a slower answer would be shown as fresh long after it was asked for.
const TIMEOUT_MS = 10_000

export type AnswerRequest<T> = {
  fetch: typeof globalThis.fetch
  path: string
  read: (body: unknown) => T
  /** Bearer token; empty for the visitor. */
  token: string
  signal: AbortSignal
}

/** One GET of this origin, checked by `read`. Throws RequestFailed on a refusal, else what fetch or `read` throws. */
export const fetchAnswer = async <T>({ fetch, path, read, token, signal }: AnswerRequest<T>): Promise<T> => {
  const response = await fetch(path, {
    headers: { Accept: 'application/json', ...(token === '' ? {} : { Authorization: `Bearer ${token}` }) },
    credentials: 'omit',
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  })
  const body: unknown = await response.json().catch((error: unknown) => {
    if (error instanceof SyntaxError) return null
    throw error
  })
  if (!response.ok) throw new RequestFailed(problemOf(response.status, body))
  return read(body)
}
