const TIMEOUT_MS = 5_000
const MAX_BYTES = 262_144
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** A URL that keys may be read from: https, or this machine. Throws a `TypeError` for any other. */
export function requireSafeUrl(text: string): URL {
  const url = new URL(text)
  const safe = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
  if (!safe || url.username || url.password) throw new TypeError(`${url.origin} is neither https nor this machine`)
  return url
}

/** The JSON object at a URL: no redirect, within 5 s, 256 kB at most. */
export async function fetchJson(fetch: typeof globalThis.fetch, url: URL): Promise<Record<string, unknown>> {
  const answer = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/json, application/jwk-set+json' },
  })
  if (answer.status !== 200 || !answer.body) {
    await answer.body?.cancel()
    throw new Error(`${url.origin}${url.pathname} answered ${answer.status}`)
  }
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of answer.body) {
    size += part.length
    if (size > MAX_BYTES) throw new Error(`${url.origin}${url.pathname} is longer than ${MAX_BYTES} bytes`)
    parts.push(part)
  }
  const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${url.origin}${url.pathname} is no JSON object`)
  return value as Record<string, unknown>
}
