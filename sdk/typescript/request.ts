import { AtomError, invalidArgument } from './atom-error.ts'
import { baseUrlOf, type CallOptions, type Runtime, runtimeOf, type Service } from './call-options.ts'
import { problemError } from './problem.ts'
import { isRetriableStatus, RETRIES, retryAfterMs, waitMs } from './retry.ts'

const TIMEOUT_MS = 30_000
const DEADLINE_MS = 90_000

export interface Call {
  service: Service
  method: 'GET' | 'POST'
  path: string
  query?: Record<string, string | number | undefined>
  body?: unknown
  token?: string | undefined
}

/**
 * One call with its retries; gives the parsed JSON of a 2xx answer, throws AtomError otherwise.
 * Every call of this SDK may be repeated: an upload is known by its bytes, usage by its ids, a decision by its package.
 */
export async function request<Answer>(call: Call, options: CallOptions): Promise<Answer> {
  const runtime = runtimeOf(options)
  const url = urlOf(call, options)
  const init = initOf(call)
  const endsAt = runtime.elapsedMs() + (options.deadlineMs ?? DEADLINE_MS)
  for (let attempts = 1; ; attempts++) {
    const left = Math.max(1, endsAt - runtime.elapsedMs())
    const timeoutMs = Math.min(options.timeoutMs ?? TIMEOUT_MS, left)
    const outcome = await attempt<Answer>({ url, init, attempts, timeoutMs, runtime, signal: options.signal })
    if ('answer' in outcome) return outcome.answer
    if (!outcome.retriable || attempts > (options.retries ?? RETRIES)) throw outcome.error
    const wait = waitMs(attempts, runtime.random(), outcome.error.retryAfterMs)
    if (runtime.elapsedMs() + wait >= endsAt) throw outcome.error
    await runtime.sleep(wait, options.signal)
  }
}

type Outcome<Answer> = { answer: Answer } | { error: AtomError; retriable: boolean }

interface Attempt {
  url: string
  init: RequestInit
  attempts: number
  timeoutMs: number
  runtime: Runtime
  signal: AbortSignal | undefined
}

async function attempt<Answer>(given: Attempt): Promise<Outcome<Answer>> {
  const { attempts, runtime, signal } = given
  const timeout = AbortSignal.timeout(Math.ceil(given.timeoutMs))
  let response: Response
  let text: string
  try {
    response = await runtime.fetch(given.url, {
      ...given.init,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    text = await response.text()
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    return { error: unanswered(given, timeout.aborted, cause), retriable: true }
  }
  if (!response.ok) {
    const after = retryAfterMs(response.headers.get('retry-after'), runtime.now())
    const error = problemError({ status: response.status, text, attempts, retryAfterMs: after })
    return { error, retriable: isRetriableStatus(response.status) }
  }
  try {
    return { answer: JSON.parse(text) as Answer }
  } catch (cause) {
    const detail = `${given.url} answered ${response.status} with something that is not JSON`
    const error = new AtomError({
      code: 'unexpected_answer',
      title: 'Unexpected answer',
      status: response.status,
      detail,
      attempts,
      cause,
    })
    return { error, retriable: false }
  }
}

function unanswered(given: Attempt, timedOut: boolean, cause: unknown): AtomError {
  if (timedOut) {
    const detail = `${given.url} did not answer within ${Math.ceil(given.timeoutMs)} ms`
    return new AtomError({ code: 'timeout', title: 'No answer in time', detail, attempts: given.attempts, cause })
  }
  // fetch says only "fetch failed"; the reason (ECONNREFUSED, a certificate) is its cause.
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const detail = `${given.url} could not be reached: ${inner instanceof Error ? inner.message || inner.name : inner}`
  return new AtomError({ code: 'connection_failed', title: 'No connection', detail, attempts: given.attempts, cause })
}

function urlOf(call: Call, options: CallOptions): string {
  const url = new URL(baseUrlOf(call.service, options) + call.path)
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url.href
}

function initOf(call: Call): RequestInit {
  const headers: Record<string, string> = {
    accept: 'application/json, application/problem+json',
    'user-agent': 'atom-sdk-typescript',
  }
  if (call.token !== undefined) headers.authorization = `Bearer ${checkedToken(call.token)}`
  // No service redirects; following one would hand the token to whoever is named there.
  const init: RequestInit = { method: call.method, headers, redirect: 'manual' }
  if (call.body !== undefined) {
    headers['content-type'] = 'application/json'
    init.body = JSON.stringify(call.body)
  }
  return init
}

function checkedToken(token: string): string {
  // An empty token would be sent as no credential at all and be answered as the demo's visitor.
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalidArgument('The token is empty or holds characters no token has')
  return token
}
