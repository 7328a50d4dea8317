export type Activity = {
  /** Something was done here that may give somebody work. */
  happened(): void
  /** Calls `listener` whenever something was done; returns what ends that. */
  follow(listener: () => void): () => void
}

/**
 * What goes on in this process, for timers that look into the database: they look often while something happens, and
 * seldom in an idle process. Whoever writes work for a timer lives in the timer's process, or its looking finds it.
 */
export function openActivity(): Activity {
  const listeners = new Set<() => void>()
  return {
    happened() {
      for (const listener of listeners) listener()
    },
    follow(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
