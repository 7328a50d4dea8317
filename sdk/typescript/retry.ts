export const RETRIES = 2
export const BACKOFF_BASE_MS = 500
export const BACKOFF_CAP_MS = 8000

/** Whether an answer with this status may turn out otherwise when asked again. */
export function isRetriableStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/**
 * Milliseconds to wait before the attempt after `attempt` (1, 2, …): full jitter, `random` in [0, 1).
 * `Retry-After` is a floor: the jitter comes on top, so that clients told the same second do not return as one.
 */
export function waitMs(attempt: number, random: number, retryAfterMs: number | undefined): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1))
  return (retryAfterMs ?? 0) + Math.floor(random * ceiling)
}

/** Milliseconds that a `Retry-After` header (seconds or an HTTP date) asks for; undefined when absent or unreadable. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  const value = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  // Date.parse reads almost anything ("1.5" is a day in 2001); an HTTP date always ends in GMT.
  if (!value.endsWith('GMT')) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime())
}
