import type { Route } from '../../../platform/http/route.ts'

/** A call that only finance may make. */
export const financeRoute = (
  method: Route['method'],
  path: string,
  summary: string,
  handle: Route['handle'],
): Route => ({ method, path, summary, access: { roles: ['finance'] }, handle })
