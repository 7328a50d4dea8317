import type { Authenticate } from '../../platform/auth/authenticate.ts'
import { createHealth } from '../../platform/http/health.ts'
import type { Route } from '../../platform/http/route.ts'
import { createService, listen } from '../../platform/http/service.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { type LogLine, recordingLog } from './recording-log.ts'

export type Json = Record<string, unknown>
export type Reply<B = Json> = { status: number; body: B; bytes: Buffer; headers: Headers }
export type CallOptions = { as?: string; json?: unknown; body?: BodyInit; type?: string }
export type TestService = {
  url: string
  log: readonly LogLine[]
  /** `call('POST', '/path', {as: token, json: {…}})`; the body comes back parsed where it is JSON. */
  call<B = Json>(method: string, path: string, options?: CallOptions): Promise<Reply<B>>
  close(): Promise<void>
}

/** The routes as a real service on a free port of this machine. */
export async function startService(routes: readonly Route[], authenticate: Authenticate): Promise<TestService> {
  const { log, lines } = recordingLog()
  const health = createHealth({
    service: 'test',
    version: '0',
    checks: [],
    policies: async () => [],
    ready: () => true,
    log,
    now: () => new Date(0),
  })
  const app = createService({
    name: 'test',
    routes,
    authenticate,
    health,
    metrics: createMetrics(),
    log,
    corsOrigins: [],
  })
  const running = await listen(app, 'test', 0, '127.0.0.1')
  const url = `http://127.0.0.1:${running.port}`
  return {
    url,
    log: lines,
    async call<B>(method: string, path: string, { as, json, body, type }: CallOptions = {}): Promise<Reply<B>> {
      const headers: Record<string, string> = as === undefined ? {} : { authorization: `Bearer ${as}` }
      if (json !== undefined) headers['content-type'] = 'application/json'
      if (type !== undefined) headers['content-type'] = type
      const sent = json === undefined ? body : JSON.stringify(json)
      const response = await fetch(url + path, { method, headers, ...(sent === undefined ? {} : { body: sent }) })
      const bytes = Buffer.from(await response.arrayBuffer())
      const isJson = /json/.test(response.headers.get('content-type') ?? '')
      return {
        status: response.status,
        body: (isJson ? JSON.parse(bytes.toString('utf8')) : {}) as B,
        bytes,
        headers: response.headers,
      }
    },
    close: running.close,
  }
}
