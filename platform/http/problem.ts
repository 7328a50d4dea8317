import { sqlState } from '../db.ts'
import { AppError, messageOf } from '../errors.ts'
import { httpError } from './errors.ts'

export type Problem = {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  code: string
  request_id: string
  errors: { pointer: string; code: string; detail: string }[]
}

/** The problem+json answer of an error. What is not ours to show (SQL, paths, stacks) never reaches the text. */
export function problemOf(error: AppError, instance: string, requestId: string): Problem {
  return {
    type: `urn:atom:problem:${error.code}`,
    title: error.title,
    status: error.status,
    detail: error.message,
    instance,
    code: error.code,
    request_id: requestId,
    errors: error.errors,
  }
}

/** SQLSTATEs for text that JSON may carry and PostgreSQL's `text` and `jsonb` may not. */
const UNSTORABLE = ['22021', '22P02', '22P05']
/** Of transactions that wait for each other the database ends one, and nothing of that one is left. */
const ENDED_FOR_ANOTHER = ['40P01', '40001']

/** Any thrown value as an error that can be answered. */
export function answerable(error: unknown): AppError {
  if (error instanceof AppError) return error
  const kind = bodyReaderProblem(error)
  if (kind === 'entity.too.large') return bodyTooLarge()
  if (kind === 'encoding.unsupported')
    return httpError('unsupported_media_type', 'send the body without Content-Encoding')
  if (kind === 'request.aborted' || kind === 'request.size.invalid')
    return httpError('request_aborted', 'the body ended before its stated length')
  if (error instanceof URIError) return httpError('parameter_invalid', 'the address is not valid percent-encoding')
  if (UNSTORABLE.includes(sqlState(error) ?? ''))
    return httpError('parameter_invalid', 'a text holds U+0000 or half a surrogate pair, which cannot be stored')
  if (ENDED_FOR_ANOTHER.includes(sqlState(error) ?? ''))
    return httpError('unavailable', 'another change came in between and nothing was done; try again', {
      headers: { 'retry-after': '1' },
      cause: error,
    })
  if (isConnectionFailure(error))
    return httpError('unavailable', 'the database cannot be reached; try again', {
      headers: { 'retry-after': '1' },
      cause: error,
    })
  return httpError('internal', 'the request could not be handled; the log has the reason under this request_id', {
    cause: error,
  })
}

export const bodyTooLarge = (): AppError => httpError('body_too_large', 'the body is larger than this call allows')

const bodyReaderProblem = (error: unknown): string | null =>
  error instanceof Error && 'type' in error && typeof error.type === 'string' ? error.type : null

/** Whether the database could not be reached, or was lost. */
export function isConnectionFailure(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return (
    /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOENT|EPIPE|57P0\d|08\d{3}|53300)$/.test(code) ||
    /Timeout acquiring a connection|Connection terminated/.test(messageOf(error))
  )
}
