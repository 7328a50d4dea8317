import { AtomError, type FieldError } from './atom-error.ts'

const BODY_IN_DETAIL = 200

/**
 * The AtomError for an answer that is not 2xx. Proxies answer with HTML or nothing at all: whatever
 * is not a problem document still becomes an error with its status and the start of the body.
 */
export function problemError(answer: {
  status: number
  text: string
  attempts: number
  retryAfterMs: number | undefined
}): AtomError {
  const { status, attempts, retryAfterMs } = answer
  const body = parseObject(answer.text)
  const detail = body ? text(body.detail) : answer.text.trim().slice(0, BODY_IN_DETAIL)
  return new AtomError({
    type: text(body?.type),
    title: text(body?.title) ?? `The service answered ${status}`,
    status,
    detail,
    instance: text(body?.instance),
    code: text(body?.code) ?? `http_${status}`,
    requestId: text(body?.request_id),
    errors: fieldErrors(body?.errors),
    attempts,
    retryAfterMs,
  })
}

function parseObject(source: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(source)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function fieldErrors(value: unknown): FieldError[] {
  if (!Array.isArray(value)) return []
  return value.filter(isObject).map((entry) => {
    const error: FieldError = {}
    for (const field of ['pointer', 'code', 'detail'] as const) {
      const found = text(entry[field])
      if (found !== undefined) error[field] = found
    }
    return error
  })
}
