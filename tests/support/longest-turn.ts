import { readFileSync } from 'node:fs'

/**
 * The longest that the event loop was at work at a time while `work` ran, in ms: by the kernel's count of what this thread
 * ran, so that a busy machine does not count; elsewhere than on Linux by the clock. Two turns may count as one.
 */
export async function longestTurn<T>(work: () => Promise<T>): Promise<{ longest: number; result: T }> {
  let last = ranMs()
  let longest = 0
  const look = () => {
    const now = ranMs()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(look, 1)
  try {
    const result = await work()
    look()
    return { longest, result }
  } finally {
    clearInterval(timer)
  }
}

function ranMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0]) / 1e6
  } catch {
    return performance.now()
  }
}
