import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

const ROOT = 'root-of-the-test'
const MOUNT = 'transit'
const START_MS = 20_000

/** Starts the real OpenBao in memory, on loopback, with transit and AppRole; `fresh` makes a key of its own for a test. */
export async function startOpenBao(binary: string) {
  const home = mkdtempSync(join(tmpdir(), 'atom-test-openbao-'))
  const port = await freePort()
  const address = `http://127.0.0.1:${port}`
  const args = ['server', '-dev', `-dev-root-token-id=${ROOT}`, `-dev-listen-address=127.0.0.1:${port}`]
  const child = spawn(binary, [...args, '-dev-no-store-token'], {
    env: { HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const stop = async () => {
    await ended(child)
    rmSync(home, { recursive: true, force: true })
  }
  try {
    const unsealKey = await eventually(
      `OpenBao says its unseal key: ${said}`,
      () => {
        if (child.exitCode !== null) throw new Error(`OpenBao ended with ${child.exitCode}: ${said}`)
        return /Unseal Key: (\S+)/.exec(said)?.[1]
      },
      START_MS,
    )
    await eventually('OpenBao answers', () => status(address).then((one) => one === 200), START_MS)
    return { ...(await prepared(address, unsealKey)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}
export type OpenBao = Awaited<ReturnType<typeof startOpenBao>>

async function prepared(address: string, unsealKey: string) {
  async function ask(method: string, path: string, body?: object): Promise<Record<string, Record<string, unknown>>> {
    const headers = { 'x-vault-token': ROOT }
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
    const reply = await fetch(`${address}/v1/${path}`, init)
    const text = await reply.text()
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  await ask('POST', `sys/mounts/${MOUNT}`, { type: 'transit' })
  await ask('POST', 'sys/auth/approle', { type: 'approle' })
  let keys = 0

  async function fresh() {
    keys += 1
    const key = `atom-marketplace-${keys}`
    await ask('POST', `${MOUNT}/keys/${key}`, { type: 'ecdsa-p256' })
    // As docs/runbooks/signing-keys.md says; of the others, `elsewhere` and `nothing-here` must be answered and not refused.
    const path = (where: string, capability: string) => `path "${where}" { capabilities = ["${capability}"] }\n`
    const own = path(`${MOUNT}/sign/${key}`, 'update') + path(`${MOUNT}/keys/${key}`, 'read')
    const absent = ['sign', 'keys'].flatMap((act) => [
      path(`elsewhere/${act}/*`, act === 'sign' ? 'update' : 'read'),
      path(`${MOUNT}/${act}/nothing-here`, act === 'sign' ? 'update' : 'read'),
    ])
    await ask('PUT', `sys/policies/acl/${key}`, { policy: own + absent.join('') })
    const policiesOf = (policy: 'signer' | 'none') => (policy === 'signer' ? [key] : ['default'])
    return {
      address,
      mount: MOUNT,
      key,
      rotate: async () => void (await ask('POST', `${MOUNT}/keys/${key}/rotate`)),
      seal: async () => void (await ask('PUT', 'sys/seal')),
      unseal: async () => {
        await ask('PUT', 'sys/unseal', { key: unsealKey })
        await eventually('OpenBao is open', () => status(address).then((one) => one === 200))
      },
      async token(ttlSeconds = 0, policy: 'signer' | 'none' = 'signer') {
        const ttl = ttlSeconds === 0 ? {} : { ttl: `${ttlSeconds}s` }
        const { auth } = await ask('POST', 'auth/token/create', { policies: policiesOf(policy), ...ttl })
        return String(auth?.client_token)
      },
      revoke: async (token: string) => void (await ask('POST', 'auth/token/revoke', { token })),
      forgetLogins: async () => void (await ask('PUT', 'sys/leases/revoke-prefix/auth/approle')),
      async approle(ttlSeconds = 3_600, maxSeconds = 86_400, policy: 'signer' | 'none' = 'signer') {
        const role = `auth/approle/role/${key}`
        const times = { token_ttl: `${ttlSeconds}s`, token_max_ttl: `${maxSeconds}s` }
        await ask('POST', role, { token_policies: policiesOf(policy), ...times })
        const { data: id } = await ask('GET', `${role}/role-id`)
        const { data: secret } = await ask('POST', `${role}/secret-id`, {})
        return { roleId: String(id?.role_id), secretId: String(secret?.secret_id) }
      },
    }
  }
  return { address, fresh }
}

const status = (address: string): Promise<number> =>
  fetch(`${address}/v1/sys/health`).then(
    (reply) => reply.status,
    () => 0,
  )

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    }),
  )
}

/** It keeps nothing on disk, so nothing is lost by ending it at once. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise((resolve) => {
    child.once('exit', resolve)
    child.kill('SIGKILL')
  })
}
