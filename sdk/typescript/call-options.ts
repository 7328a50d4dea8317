import { setTimeout as delay } from 'node:timers/promises'
import { invalidArgument } from './atom-error.ts'

/** What a call needs from the outside; tests give their own. */
export interface Runtime {
  fetch: typeof fetch
  now: () => Date
  /** Monotonic, so that a step of the wall clock neither ends nor prolongs a deadline. */
  elapsedMs: () => number
  sleep: (ms: number, signal?: AbortSignal) => Promise<unknown>
  random: () => number
}

export interface CallOptions {
  /** Of the service called; default `MARKET_API` or `ATOM_BILLING_API`, then 127.0.0.1. */
  baseUrl?: string | undefined
  /** Attempts after the first (2). */
  retries?: number | undefined
  /** For one attempt (30 s; 120 s for an upload). */
  timeoutMs?: number | undefined
  /** For all attempts and the waits between them (90 s; 10 min for an upload). */
  deadlineMs?: number | undefined
  signal?: AbortSignal | undefined
  runtime?: Partial<Runtime> | undefined
}

export type Service = 'market' | 'billing'

const SERVICES: Record<Service, { env: string; fallback: string }> = {
  market: { env: 'MARKET_API', fallback: 'http://127.0.0.1:8050' },
  billing: { env: 'ATOM_BILLING_API', fallback: 'http://127.0.0.1:8060' },
}

const systemRuntime: Runtime = {
  fetch: (input, init) => fetch(input, init),
  now: () => new Date(),
  elapsedMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal ? { signal } : {}),
  random: Math.random,
}

/** The system's clock, network and dice, with what the caller replaced. */
export function runtimeOf(options: CallOptions): Runtime {
  return { ...systemRuntime, ...options.runtime }
}

/** Base URL of a service without a trailing slash; throws AtomError `invalid_argument` on anything but http(s). */
export function baseUrlOf(service: Service, options: CallOptions): string {
  const { env, fallback } = SERVICES[service]
  const base = options.baseUrl || process.env[env] || fallback
  if (!/^https?:\/\/[^/]/i.test(base) || !URL.canParse(base)) {
    throw invalidArgument(`The base URL ${JSON.stringify(base)} (${env}) is not an http or https URL`)
  }
  return base.replace(/\/+$/, '')
}

/** An id as one path segment; "." and ".." would be folded away by URL parsing and reach another call. */
export function pathSegment(name: string, value: string): string {
  if (!value || value === '.' || value === '..') throw invalidArgument(`${name} ${JSON.stringify(value)} is not an id`)
  return encodeURIComponent(value)
}
