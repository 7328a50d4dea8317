import { createHmac, timingSafeEqual } from 'node:crypto'
import { AtomError, invalidArgument } from './atom-error.ts'

/** A CloudEvent, as a webhook is told of it and as `GET /feed` has it. */
export interface WebhookEvent {
  specversion: string
  id: string
  source: string
  type: string
  time: string
  subject?: string
  data: Record<string, unknown>
  [extension: string]: unknown
}
export interface WebhookOptions {
  /** How far `webhook-timestamp` may be from now, either way; default 300 seconds. */
  toleranceSeconds?: number
  now?: () => Date
}
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>

const TOLERANCE_S = 300
const SHORTEST_SECRET = 24

/**
 * Checks that a call of a webhook is from the marketplace and new, and returns its event. `body` is what came over the
 * wire, before anything parsed it; while a secret is rotated give both. Throws AtomError `webhook_invalid`. The same
 * event may come twice: `webhook-id`, which is the event's `id`, tells.
 */
export function verifyWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  { toleranceSeconds = TOLERANCE_S, now = () => new Date() }: WebhookOptions = {},
): WebhookEvent {
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    throw invalidArgument('`body` has to be the raw bytes or text of the request: what was parsed cannot be verified')
  const keys = (typeof secret === 'string' ? [secret] : secret).map(keyOf)
  const id = header(headers, 'webhook-id')
  const timestamp = header(headers, 'webhook-timestamp')
  const signatures = header(headers, 'webhook-signature')
  if (!/^\d{1,12}$/.test(timestamp)) throw invalid('`webhook-timestamp` is not a time')
  if (!(Math.abs(now().getTime() / 1000 - Number(timestamp)) <= toleranceSeconds))
    throw invalid(`it was signed more than ${toleranceSeconds} s from now: it is a repeat, or a clock is wrong`)
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), Buffer.from(body)])
  const expected = keys.map((key) => createHmac('sha256', key).update(signed).digest())
  // Every signature with every secret, so that the time taken says nothing of which one was right.
  let matches = false
  for (const signature of signatures.split(' ')) {
    const [version, text = ''] = signature.split(',')
    const given = Buffer.from(text, 'base64')
    for (const one of expected)
      if (version === 'v1' && given.length === one.length && timingSafeEqual(given, one)) matches = true
  }
  if (!matches) throw invalid('no signature matches: another secret, or a body that was changed or parsed on the way')
  try {
    return JSON.parse(Buffer.from(body).toString('utf8')) as WebhookEvent
  } catch {
    throw invalid('the body is not JSON')
  }
}

function keyOf(secret: string): Buffer {
  const text = secret.replace(/^whsec_/, '')
  const key = Buffer.from(text, 'base64')
  if (key.length < SHORTEST_SECRET || key.toString('base64') !== text)
    throw invalidArgument('a secret of a webhook is `whsec_` and base64 of at least 24 bytes')
  return key
}

function header(headers: WebhookHeaders, name: string): string {
  const found =
    headers instanceof Headers
      ? headers.get(name)
      : Object.entries(headers).find(([other]) => other.toLowerCase() === name)?.[1]
  if (typeof found !== 'string' || found === '') throw invalid(`header \`${name}\` is missing`)
  return found
}

const invalid = (detail: string): AtomError =>
  new AtomError({ code: 'webhook_invalid', title: 'The call of the webhook does not verify', detail })
