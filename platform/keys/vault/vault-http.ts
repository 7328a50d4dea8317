import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { keyError } from '../errors.ts'

/** `status` below 500. `data` is the answer's object, empty when there was none. */
export type VaultReply = { status: number; body: Record<string, unknown> }
type Asked = { token?: string; body?: object; signal?: AbortSignal }
export type Vault = {
  /** `path` without `/v1/`. Throws `key_store_sealed` or `key_store_unreachable`. */
  call(method: 'GET' | 'POST', path: string, asked?: Asked): Promise<VaultReply>
  /** Breaks off what is under way. */
  close(): void
}
export type VaultOptions = { address: string; namespace?: string; caFile?: string; callTimeoutMs?: number }

const CALL_TIMEOUT_MS = 2_000
const MOST_BYTES = 1_000_000
const KEPT = { keepAlive: true, maxSockets: 16 }

/** The HTTP API of Vault and OpenBao at `address`. Throws a sentence when the address or the CA file cannot be used. */
export function openVault({ address, namespace, caFile, callTimeoutMs = CALL_TIMEOUT_MS }: VaultOptions): Vault {
  const base = baseOf(address)
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) }
  const agent = base.protocol === 'https:' ? new https.Agent({ ...KEPT, ...ca }) : new http.Agent(KEPT)
  const closing = new AbortController()
  return {
    async call(method, path, { token, body, signal } = {}) {
      const limits = [closing.signal, AbortSignal.timeout(callTimeoutMs), ...(signal ? [signal] : [])]
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = {
        'x-vault-request': 'true',
        ...(token === undefined ? {} : { 'x-vault-token': token }),
        ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      }
      const url = new URL(`v1/${path}`, base)
      const answer = await exchange(url, { method, headers, agent, signal: AbortSignal.any(limits) }, text).catch(
        (cause: unknown) => {
          throw keyError('key_store_unreachable', 'the key store does not answer', { cause })
        },
      )
      return replyOf(answer)
    },
    close() {
      closing.abort()
      agent.destroy()
    },
  }
}

/** A token must not cross a network in the clear. */
function baseOf(address: string): URL {
  const text = address.endsWith('/') ? address : `${address}/`
  const base = URL.canParse(text) ? new URL(text) : null
  if (base === null || !['http:', 'https:'].includes(base.protocol))
    throw new Error('ATOM_VAULT_ADDR must be an address such as https://vault.example.com:8200')
  if (base.username !== '' || base.password !== '') throw new Error('ATOM_VAULT_ADDR must not carry a password')
  if (base.protocol === 'http:' && !/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(base.hostname))
    throw new Error('ATOM_VAULT_ADDR must be https, or on this machine')
  return base
}

type Answer = { status: number; text: string }

function exchange(url: URL, options: http.RequestOptions, body: string | undefined): Promise<Answer> {
  const { request } = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MOST_BYTES) response.destroy(new Error(`an answer of more than ${MOST_BYTES} bytes`))
        else chunks.push(chunk)
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

function replyOf({ status, text }: Answer): VaultReply {
  const body = text === '' ? {} : objectIn(text)
  if (status === 503 && body && /sealed|not (yet )?initialized/i.test(errorsIn(body).join(' ')))
    throw keyError('key_store_sealed', 'the key store is sealed: somebody has to unseal it')
  // 429 is too many requests; a redirect leads to another host, which must not get the token.
  if (body === null || status >= 500 || status < 200 || (status >= 300 && status < 400) || status === 429)
    throw keyError('key_store_unreachable', `the key store answers with status ${status}`, {
      cause: new Error(`status ${status}: ${text.slice(0, 200)}`),
    })
  return { status, body }
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/** What the store says went wrong. */
export const errorsIn = (body: Record<string, unknown>): string[] =>
  Array.isArray(body.errors) ? body.errors.filter((one): one is string => typeof one === 'string') : []
