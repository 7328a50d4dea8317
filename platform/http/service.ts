import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { uuidv7 } from 'uuidv7'
import type { Authenticate } from '../auth/authenticate.ts'
import type { Principal } from '../auth/principal.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { traceOf } from '../trace.ts'
import { httpError } from './errors.ts'
import type { Health } from './health.ts'
import { answerable, bodyTooLarge, problemOf } from './problem.ts'
import { type Answer, type Route, requireAccess, requireActive } from './route.ts'

export type ServiceOptions = {
  name: string
  routes: readonly Route[]
  /** Static files and pages, tried after the routes. */
  pages?: RequestHandler
  authenticate: Authenticate
  health: Health
  metrics: Metrics
  log: Log
  /** Origins whose pages may call this service from a browser. */
  corsOrigins: readonly string[]
  /** Is told after every call that may have changed something. */
  changed?: () => void
}
export type RunningService = { name: string; port: number; close(): Promise<void> }

/** Whoever signed a body: nobody of ours, with no right but that one call. */
const signer: Principal = { org: '', subject: 'signer', roles: [], scopes: [], kind: 'visitor' }
const DEFAULT_MAX_BYTES = 1_000_000
// A page that is open asks with OPTIONS first, again and again.
const CHANGES_NOTHING = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Ends a close that a slow client would hold up: ports must be free within 3 s. */
const CLOSE_GRACE_MS = 1_500

/** An HTTP service: routes as data in, problem+json on every failure, `/health` and `/metrics` always. */
export function createService(options: ServiceOptions): express.Express {
  const { name, routes, health, metrics } = options
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  const seconds = metrics.histogram(
    'atom_http_seconds',
    'Time to answer a request',
    [0.002, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1, 5],
    ['service', 'method', 'route', 'status'],
  )
  app.use((req, res, next) => {
    const begun = process.hrtime.bigint()
    res.locals.requestId = uuidv7()
    res.setHeader('x-request-id', res.locals.requestId)
    res.setHeader('x-content-type-options', 'nosniff')
    res.on('finish', () => {
      if (!CHANGES_NOTHING.has(req.method)) options.changed?.()
      seconds.observe(
        { service: name, method: req.method, route: res.locals.route ?? 'none', status: String(res.statusCode) },
        Math.max(0, Number(process.hrtime.bigint() - begun) / 1e9 - (res.locals.waitedMs ?? 0) / 1e3),
      )
    })
    next()
  })
  app.use(cors(options.corsOrigins))
  app.get('/health', async (_req, res) => {
    res.locals.route = '/health'
    const report = await health.report()
    res.status(report.status === 'ok' ? 200 : 503).json(report)
  })
  app.get('/metrics', async (_req, res) => {
    res.locals.route = '/metrics'
    res.type(metrics.contentType).send(await metrics.text())
  })
  for (const route of routes) app[lower(route.method)](route.path, ...handlersFor(route, options))
  for (const [path, methods] of methodsByPath(routes)) app.all(path, refuseMethod(methods))
  if (options.pages) app.use(options.pages)
  app.use((req: Request) => {
    throw httpError('not_found', `no call ${req.method} ${req.path} here`)
  })
  app.use(onError(options.log))
  return app
}

/** Where a client on this machine reaches what listens on `bind`: a wildcard is no address, IPv6 needs brackets. */
export function localUrl(bind: string, port: number): string {
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Listens and returns the port taken (setting 0 asks the system for one). */
export async function listen(app: express.Express, name: string, port: number, bind: string): Promise<RunningService> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 }, app)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} is taken; stop what uses it or set ATOM_PORT_${name.toUpperCase()}`)
          : error,
      ),
    )
    server.listen(port, bind, resolve)
  })
  server.on('clientError', refuseUnreadable)
  return { name, port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

function handlersFor(route: Route, options: ServiceOptions): RequestHandler[] {
  const limit = route.maxBytes ?? DEFAULT_MAX_BYTES
  const read = express.raw({ type: () => true, limit, inflate: false })
  const authenticated = (req: Request) => options.authenticate(req.headers.authorization, req.get('atom-org'))
  const begin: RequestHandler = async (req, res, next) => {
    res.locals.route = route.path
    // Before the body is read: a caller without the right costs nothing.
    res.locals.principal = 'signedBody' in route.access ? signer : await authenticated(req)
    requireAccess(res.locals.principal, route.access)
    requireActive(res.locals.principal, route.method)
    // The body reader would take the whole of it in first; what is left of it Node drops once the answer is out.
    if (Number(req.headers['content-length'] ?? 0) > limit) throw bodyTooLarge()
    next()
  }
  const answer: RequestHandler = async (req, res) => {
    const url = new URL(req.originalUrl, 'http://service')
    const result = await route.handle({
      principal: res.locals.principal,
      params: req.params as Record<string, string>,
      query: url.searchParams,
      bytes: Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0),
      contentType: req.headers['content-type'] ?? '',
      header: (name) => req.get(name),
      requestId: res.locals.requestId,
      traceparent: traceOf(req.headers.traceparent),
      path: url.pathname,
    })
    res.locals.waitedMs = result.waitedMs
    await send(res, result)
  }
  return [begin, read, answer]
}

async function send(res: Response, { status, body, bytes, stream, type, headers }: Answer): Promise<void> {
  res.status(status).set(headers ?? {})
  if (stream !== undefined) await pipeline(Readable.from(stream), res.type(type ?? 'text/plain')).catch(unlessGone)
  else if (bytes !== undefined) res.type(type ?? 'application/octet-stream').send(Buffer.from(bytes))
  else if (body !== undefined) res.type(type ?? 'application/json').send(JSON.stringify(body))
  else res.end()
}

/** A caller that had enough is no failure. */
function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
}

function onError(log: Log) {
  return (thrown: unknown, req: Request, res: Response, _next: NextFunction): void => {
    const error = answerable(thrown)
    const requestId = res.locals.requestId as string
    if (error.status >= 500)
      log.error('request failed', {
        request_id: requestId,
        path: req.path,
        error: messageOf(thrown),
        stack: stackOf(thrown),
      })
    if (res.headersSent) {
      res.destroy()
      return
    }
    res
      .status(error.status)
      .set(error.headers)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(error, req.path, requestId)))
  }
}

function cors(origins: readonly string[]): RequestHandler {
  return (req, res, next) => {
    const origin = req.headers.origin
    res.vary('origin')
    if (origin && origins.includes(origin)) {
      res.set({
        'access-control-allow-origin': origin,
        'access-control-allow-headers': 'authorization, content-type, atom-org',
        'access-control-allow-methods': 'GET, POST, PUT, DELETE',
      })
      if (req.method === 'OPTIONS') {
        res.status(204).end()
        return
      }
    }
    next()
  }
}

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const paths = new Map<string, string[]>([
    ['/health', ['GET']],
    ['/metrics', ['GET']],
  ])
  for (const { path, method } of routes) paths.set(path, [...(paths.get(path) ?? []), method])
  return paths
}

function refuseMethod(methods: string[]): RequestHandler {
  return (req) => {
    throw httpError('method_not_allowed', `${req.path} answers ${methods.join(', ')}`, {
      headers: { allow: methods.join(', ') },
    })
  }
}

/** What Node's parser refuses never reaches a route, and is answered in the same form all the same. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const detail = 'the request is not readable HTTP, or its headers are too large'
  const body = JSON.stringify(problemOf(httpError('request_aborted', detail), '', uuidv7()))
  const head = ['HTTP/1.1 400 Bad Request', 'content-type: application/problem+json', 'connection: close']
  socket.end([...head, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(timer)
}

const lower = (method: Route['method']) => method.toLowerCase() as 'get' | 'post' | 'put' | 'delete'
const stackOf = (error: unknown) => (error instanceof Error ? error.stack : undefined)
