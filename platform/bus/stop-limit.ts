export type StopLimit = {
  /** Counts one event. Why the group has to stop, or null. */
  note(failed: boolean): string | null
  /** Forgets what was counted. */
  reset(): void
}

const LAST_EVENTS = 10_000
const MOST_FAILED = LAST_EVENTS / 100
const IN_A_ROW = 20

/**
 * When to stop instead of turning a whole topic into dead letters: 20 in a row, or more than 1 % of the last 10,000
 * events. Counted in this process only.
 */
export function stopLimit(): StopLimit {
  const failures = new Uint8Array(LAST_EVENTS)
  let next = 0
  let failed = 0
  let inARow = 0
  return {
    note(isFailed) {
      failed += (isFailed ? 1 : 0) - (failures[next] ?? 0)
      failures[next] = isFailed ? 1 : 0
      next = (next + 1) % LAST_EVENTS
      inARow = isFailed ? inARow + 1 : 0
      if (inARow >= IN_A_ROW) return `${inARow} events in a row could not be applied`
      if (failed > MOST_FAILED) return `${failed} of the last ${LAST_EVENTS} events could not be applied`
      return null
    },
    reset() {
      failures.fill(0)
      failed = 0
      inARow = 0
    },
  }
}
