import { type LookupAddress, lookup } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { type AddressRules, addressFault, urlFault } from './addresses.ts'

/** What became of one call. `code` and `detail` say why it failed; nothing of what was answered is kept. */
export type CallResult = {
  ok: boolean
  status: number | null
  code: string | null
  detail: string | null
  /** The receiver asked to be left alone for so long. */
  retryAfterMs: number
}
export type CallRequest = { url: string; headers: Record<string, string>; body: string }
type Resolve = (
  name: string,
  options: { all: true },
  done: (error: Error | null, found: LookupAddress[]) => void,
) => void
export type CallOptions = {
  rules: AddressRules
  /** For the whole call, from resolving the name to the head of the answer. */
  timeoutMs?: number
  resolve?: Resolve
}

const TIMEOUT_MS = 10_000
/** An answer's body says nothing that we want; it is read a little so that its sender sees a whole exchange. */
const MOST_BODY = 65_536
const BODY_MS = 1_000
const LONGEST_RETRY_AFTER_MS = 3_600_000
const HEADERS = { 'content-type': 'application/cloudevents+json', 'user-agent': 'atom-webhooks/1' }

class AddressRefused extends Error {
  readonly code = 'ATOM_ADDRESS_REFUSED'
}
class TimedOut extends Error {
  readonly code = 'ETIMEDOUT'
}

/** Posts once; never throws. Follows no redirect, and connects to no address that the rules refuse. */
export function callWebhook({ url: text, headers, body }: CallRequest, options: CallOptions): Promise<CallResult> {
  const { rules, timeoutMs = TIMEOUT_MS, resolve: resolveName = lookup as Resolve } = options
  const refused = urlFault(text, rules)
  if (refused !== null) return Promise.resolve(failed('address_refused', `the address ${refused}`))
  const url = new URL(text)
  const send = url.protocol === 'http:' ? httpRequest : httpsRequest
  return new Promise((resolve) => {
    let result: CallResult | null = null
    const request = send(url, {
      method: 'POST',
      headers: { ...HEADERS, ...headers, 'content-length': String(Buffer.byteLength(body)) },
      // One connection a call: a name is resolved, and what it resolves to is checked, every time.
      agent: false,
      lookup: checkedLookup(rules, resolveName),
    })
    let timer = setTimeout(() => request.destroy(new TimedOut(`no answer within ${timeoutMs} ms`)), timeoutMs)
    const finish = (found: CallResult) => {
      clearTimeout(timer)
      request.destroy()
      resolve(found)
    }
    request.on('socket', (socket) =>
      socket.once('connect', () => {
        // Before a byte of the request is sent: whoever resolved the name, this is where it went.
        const fault = addressFault(socket.remoteAddress ?? '', rules)
        if (fault !== null) request.destroy(new AddressRefused(fault))
      }),
    )
    request.on('error', (error) => finish(result ?? failureOf(error)))
    request.on('response', (response) => {
      const found = resultOf(response)
      result = found
      clearTimeout(timer)
      timer = setTimeout(() => finish(found), BODY_MS)
      let read = 0
      response.on('data', (chunk: Buffer) => {
        read += chunk.length
        if (read > MOST_BODY) finish(found)
      })
      response.on('error', () => finish(found))
      response.on('close', () => finish(found))
    })
    request.end(body)
  })
}

/** Resolves a name and refuses it whole when any of its addresses is refused. */
function checkedLookup(rules: AddressRules, resolveName: Resolve): LookupFunction {
  return (name, options, done) => {
    resolveName(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, [])
      const fault = found.map(({ address }) => addressFault(address, rules)).find((one) => one !== null)
      if (fault !== undefined) return done(new AddressRefused(`${name} resolves to ${fault}`), [])
      const first = found[0]
      if (!first) return done(Object.assign(new Error(`${name} has no address`), { code: 'ENOTFOUND' }), [])
      if (options.all) done(null, found)
      else done(null, first.address, first.family)
    })
  }
}

function resultOf({ statusCode = 0, headers }: IncomingMessage): CallResult {
  if (statusCode >= 200 && statusCode < 300)
    return { ok: true, status: statusCode, code: null, detail: null, retryAfterMs: 0 }
  const retryAfterMs = statusCode === 429 || statusCode === 503 ? askedMs(headers['retry-after']) : 0
  if (statusCode >= 300 && statusCode < 400)
    return { ...failed('redirected', `answered ${statusCode}; redirects are not followed`), status: statusCode }
  return { ...failed('bad_status', `answered ${statusCode}`), status: statusCode, retryAfterMs }
}

function askedMs(text: string | undefined): number {
  const seconds = /^\d{1,9}$/.test(text ?? '') ? Number(text) : 0
  return Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS)
}

const failed = (code: string, detail: string): CallResult => ({
  ...{ ok: false, status: null, code, detail, retryAfterMs: 0 },
})

function failureOf(error: NodeJS.ErrnoException): CallResult {
  const code = error.code ?? ''
  if (code === 'ATOM_ADDRESS_REFUSED') return failed('address_refused', error.message)
  if (code === 'ETIMEDOUT') return failed('timed_out', 'no answer in time')
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return failed('name_not_found', 'its name could not be resolved')
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH)$/.test(code)) return failed('unreachable', `no connection (${code})`)
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return failed('tls_failed', `no TLS connection (${code})`)
  if (code.startsWith('HPE_')) return failed('not_http', 'what was answered is not HTTP')
  return failed('connection_lost', `the connection was lost before an answer (${code || 'closed'})`)
}
