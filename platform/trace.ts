import { randomBytes } from 'node:crypto'

/** A new W3C trace, for what nobody's request began. */
export const newTrace = (): string => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`

/** The caller's trace goes on; a missing or malformed one starts a new trace. */
export function traceOf(sent: string | string[] | undefined): string {
  if (typeof sent === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(sent)) return sent
  return newTrace()
}
