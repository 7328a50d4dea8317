import { Type } from '@sinclair/typebox'
import { authError } from '../../../platform/auth/errors.ts'
import type { Principal } from '../../../platform/auth/principal.ts'
import { createHealth } from '../../../platform/http/health.ts'
import { everyone, jsonBody, type Route } from '../../../platform/http/route.ts'
import { createService, listen } from '../../../platform/http/service.ts'
import { checked } from '../../../platform/http/validate.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { closed } from '../../../schemas/envelope.ts'
import { recordingLog } from '../../support/recording-log.ts'

export const PORTAL = 'http://127.0.0.1:8080'
const visitor: Principal = { org: 'demo', subject: 'visitor', roles: [], scopes: ['read'], kind: 'visitor' }
const partner: Principal = { org: 'demo', subject: 'ada', roles: ['partner'], scopes: [], kind: 'token' }
const key = (scopes: Principal['scopes']): Principal => ({
  org: 'demo',
  subject: 'key:x',
  roles: [],
  scopes,
  kind: 'api-key',
})
const callers: Record<string, Principal> = {
  'Bearer partner': partner,
  'Bearer read-key': key(['read']),
  'Bearer publish-key': key(['publish']),
}
const Body = closed({ name: Type.String({ minLength: 1 }), size: Type.Optional(Type.Integer()) })

const routes: Route[] = [
  {
    method: 'GET',
    path: '/things/:id',
    summary: '',
    access: everyone,
    handle: async ({ params, query }) => ({ status: 200, body: { ...params, q: query.get('q') } }),
  },
  {
    method: 'POST',
    path: '/things',
    summary: '',
    access: { roles: ['partner'], scopes: ['publish'] },
    maxBytes: 1_000,
    handle: async (call) => ({ status: 201, body: checked(Body, jsonBody(call)) }),
  },
  {
    method: 'DELETE',
    path: '/things/:id',
    summary: '',
    access: { roles: ['partner'] },
    handle: async () => ({ status: 204 }),
  },
  {
    method: 'POST',
    path: '/look',
    summary: '',
    access: { roles: ['partner'], visitor: true },
    handle: async (call) => ({ status: 200, body: jsonBody(call, { anyType: true }) }),
  },
  {
    method: 'GET',
    path: '/trace',
    summary: '',
    access: everyone,
    handle: async ({ traceparent }) => ({ status: 200, body: { traceparent } }),
  },
  {
    method: 'GET',
    path: '/bytes',
    summary: '',
    access: everyone,
    handle: async () => ({
      status: 200,
      bytes: Buffer.from('a\0b'),
      type: 'application/yaml',
      headers: { etag: '"x"' },
    }),
  },
  {
    method: 'GET',
    path: '/waits',
    summary: '',
    access: everyone,
    // Says that it waited an hour: what is measured is the rest.
    handle: async () => ({ status: 204, waitedMs: 3_600_000 }),
  },
  {
    method: 'GET',
    path: '/broken',
    summary: '',
    access: everyone,
    handle: async () => {
      throw new Error('select secret from platform.api_keys')
    },
  },
  {
    method: 'GET',
    path: '/unreachable',
    summary: '',
    access: everyone,
    handle: async () => {
      throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    },
  },
  {
    method: 'POST',
    path: '/in-a-circle',
    summary: '',
    access: everyone,
    handle: async () => {
      throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
    },
  },
]

/** A service with a call of every kind: who may, what it takes, how it fails. `ready` says what /health should. */
export async function startSample(ready: () => boolean) {
  const { log, lines } = recordingLog()
  const metrics = createMetrics()
  const now = () => new Date('2026-11-02T10:00:00Z')
  const health = createHealth({
    service: 'test',
    version: '1.2.3',
    checks: [],
    policies: async () => [],
    ready,
    log,
    now,
  })
  const authenticate = async (authorization: string | undefined) => {
    if (authorization === undefined) return visitor
    const principal = callers[authorization]
    if (!principal) throw authError('credential_invalid', 'unknown')
    return principal
  }
  let changes = 0
  const changed = () => {
    changes += 1
  }
  const corsOrigins = [PORTAL]
  const app = createService({ name: 'test', routes, authenticate, health, metrics, log, corsOrigins, changed })
  const service = await listen(app, 'test', 0, '127.0.0.1')
  return { url: `http://127.0.0.1:${service.port}`, lines, changes: () => changes, close: service.close }
}
