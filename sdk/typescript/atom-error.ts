import type { UsageAnswer } from './answers.ts'

export interface FieldError {
  pointer?: string
  code?: string
  detail?: string
}

export interface AtomErrorFields {
  code: string
  title: string
  type?: string | undefined
  status?: number | undefined
  detail?: string | undefined
  instance?: string | undefined
  requestId?: string | undefined
  errors?: FieldError[] | undefined
  attempts?: number | undefined
  retryAfterMs?: number | undefined
  cause?: unknown
}

const FIELD_ERRORS_IN_MESSAGE = 5

/**
 * Everything that goes wrong in this SDK. The fields are those of the service's problem+json;
 * `status` is 0 when no answer came (or nothing was sent), `attempts` counts the requests made.
 */
export class AtomError extends Error {
  override readonly name = 'AtomError'
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string | undefined
  readonly code: string
  readonly requestId: string | undefined
  readonly errors: FieldError[]
  readonly attempts: number
  readonly retryAfterMs: number | undefined
  /** What was durably accepted before a later batch of `reportUsage` failed. */
  partial: UsageAnswer | undefined

  constructor(fields: AtomErrorFields) {
    super(messageOf(fields), fields.cause === undefined ? undefined : { cause: fields.cause })
    this.type = fields.type ?? 'about:blank'
    this.title = fields.title
    this.status = fields.status ?? 0
    this.detail = fields.detail ?? ''
    this.instance = fields.instance
    this.code = fields.code
    this.requestId = fields.requestId
    this.errors = fields.errors ?? []
    this.attempts = fields.attempts ?? 0
    this.retryAfterMs = fields.retryAfterMs
  }
}

/** A mistake of the caller found before anything was sent. */
export function invalidArgument(detail: string): AtomError {
  return new AtomError({ code: 'invalid_argument', title: 'Invalid argument', detail })
}

function messageOf(fields: AtomErrorFields): string {
  const context = [fields.code]
  if (fields.status) context.push(`HTTP ${fields.status}`)
  if (fields.requestId) context.push(`request ${fields.requestId}`)
  if ((fields.attempts ?? 0) > 1) context.push(`${fields.attempts} attempts`)
  const places = (fields.errors ?? [])
    .slice(0, FIELD_ERRORS_IN_MESSAGE)
    .map((error) => `\n  ${error.pointer || '/'}: ${error.detail ?? error.code ?? 'invalid'}`)
  return `${fields.detail || fields.title} [${context.join(', ')}]${places.join('')}`
}
