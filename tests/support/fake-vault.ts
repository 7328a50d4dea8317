import { createECDH, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

type Options = { mount?: string; key?: string; tls?: { key: string; cert: string } }
type Reply = { status: number; body?: object }
type Token = { endsAt: number | null; ttlSeconds: number; policy: 'signer' | 'none'; maxEndsAt: number | null }
export type FakeVault = Awaited<ReturnType<typeof openFakeVault>>

/**
 * The few calls of Vault that the marketplace makes, with the answers that OpenBao 2.7.2 gave; the contract suite runs
 * against both. Beyond it, a test can make this one slow, cut it off, or look at what was asked.
 */
export async function openFakeVault({ mount = 'transit', key = 'atom-marketplace', tls }: Options = {}) {
  const versions: KeyObject[] = []
  const tokens = new Map<string, Token>()
  const secrets = new Map<string, { ttlSeconds: number; maxSeconds: number; policy: Token['policy'] }>()
  const asked: { method: string; path: string; headers: IncomingMessage['headers'] }[] = []
  const state = { sealed: false, delayMs: 0, now: () => Date.now(), answerWith: null as null | Reply }
  const rotate = () => void versions.push(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  rotate()

  const lives = (text: string | undefined): Token | undefined => {
    const token = tokens.get(text ?? '')
    return token && (token.endsAt === null || token.endsAt > state.now()) ? token : undefined
  }

  function grant(ttlSeconds: number, policy: Token['policy'], maxSeconds: number | null): string {
    const text = `s.${randomUUID()}`
    const endsAt = ttlSeconds === 0 ? null : state.now() + ttlSeconds * 1_000
    const maxEndsAt = maxSeconds === null ? null : state.now() + maxSeconds * 1_000
    tokens.set(text, { endsAt, ttlSeconds, policy, maxEndsAt })
    return text
  }

  function answer(method: string, path: string, given: string | undefined, body: Record<string, unknown>): Reply {
    if (state.answerWith) return state.answerWith
    if (state.sealed) return { status: 503, body: { errors: ['Vault is sealed'] } }
    if (path === 'auth/approle/login') {
      const role = body.role_id === 'role' ? secrets.get(String(body.secret_id)) : undefined
      if (!role) return { status: 400, body: { errors: ['invalid role or secret ID'] } }
      const client_token = grant(role.ttlSeconds, role.policy, role.maxSeconds)
      return { status: 200, body: { auth: { client_token, lease_duration: role.ttlSeconds, renewable: true } } }
    }
    const token = lives(given)
    const denied = { status: 403, body: { errors: ['permission denied'] } }
    if (!token) return denied
    if (path === 'auth/token/lookup-self') {
      const ttl = token.endsAt === null ? 0 : Math.round((token.endsAt - state.now()) / 1_000)
      return { status: 200, body: { data: { ttl, renewable: token.endsAt !== null } } }
    }
    if (path === 'auth/token/renew-self') {
      const end = state.now() + token.ttlSeconds * 1_000
      token.endsAt = Math.min(end, token.maxEndsAt ?? end)
      const lease_duration = Math.round((token.endsAt - state.now()) / 1_000)
      return { status: 200, body: { auth: { client_token: given, lease_duration, renewable: true } } }
    }
    if (!path.startsWith(`${mount}/`))
      return { status: 404, body: { errors: [`no handler for route "${path}". route entry not found.`] } }
    if (token.policy === 'none') return denied
    if (method === 'GET' && path === `${mount}/keys/${key}`) {
      const keys = versions.map((one, at) => [`${at + 1}`, { public_key: publicPem(one), name: 'P-256' }])
      return { status: 200, body: { data: { type: 'ecdsa-p256', keys: Object.fromEntries(keys) } } }
    }
    if (method === 'GET') return { status: 404, body: { errors: [] } }
    if (path !== `${mount}/sign/${key}`) return { status: 400, body: { errors: ['signing key not found'] } }
    const made = signDigest(versions.at(-1) as KeyObject, Buffer.from(String(body.input), 'base64'))
    return {
      status: 200,
      body: { data: { key_version: versions.length, signature: `vault:v${versions.length}:${made}` } },
    }
  }

  const listener: RequestListener = (request, response) => {
    const path = (request.url ?? '').replace(/^\/v1\//, '')
    asked.push({ method: request.method ?? '', path, headers: request.headers })
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const token = request.headers['x-vault-token'] as string | undefined
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
      const reply = answer(request.method ?? '', path, token, body)
      setTimeout(() => {
        response.writeHead(reply.status, { 'content-type': 'application/json' })
        response.end(reply.body === undefined ? '' : JSON.stringify(reply.body))
      }, state.delayMs)
    })
  }
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key,
    mount,
    asked,
    state,
    rotate: async () => rotate(),
    seal: async () => {
      state.sealed = true
    },
    unseal: async () => {
      state.sealed = false
    },
    token: async (ttlSeconds = 0, policy: Token['policy'] = 'signer') => grant(ttlSeconds, policy, null),
    revoke: async (token: string) => void tokens.delete(token),
    forgetLogins: async () => tokens.clear(),
    approle: async (ttlSeconds = 3_600, maxSeconds = 86_400, policy: Token['policy'] = 'signer') => {
      const secretId = randomUUID()
      secrets.set(secretId, { ttlSeconds, maxSeconds, policy })
      return { roleId: 'role', secretId }
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const publicPem = (key: KeyObject): string =>
  createPublicKey(key as unknown as string)
    .export({ format: 'pem', type: 'spki' })
    .toString()

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** ECDSA over a digest that is made already, which Node itself offers no call for; DER, base64. */
function signDigest(key: KeyObject, digest: Buffer): string {
  const d = BigInt(`0x${Buffer.from((key.export({ format: 'jwk' }) as { d: string }).d, 'base64url').toString('hex')}`)
  const once = createECDH('prime256v1')
  const point = once.generateKeys()
  const k = BigInt(`0x${once.getPrivateKey('hex')}`)
  const r = BigInt(`0x${point.subarray(1, 33).toString('hex')}`) % ORDER
  const s = (inverse(k) * (BigInt(`0x${digest.toString('hex')}`) + r * d)) % ORDER
  const body = Buffer.concat([derInteger(r), derInteger(s)])
  return Buffer.concat([Buffer.from([0x30, body.length]), body]).toString('base64')
}

/** By Fermat: the order is prime. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, value % ORDER]
  for (let left = ORDER - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * base) % ORDER
    base = (base * base) % ORDER
  }
  return result
}

function derInteger(value: bigint): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  // A first bit of 1 would read as a negative number.
  const padded = (bytes[0] as number) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
  return Buffer.concat([Buffer.from([2, padded.length]), padded])
}
