import { type Problem, problemFrom } from './problem.ts'

/** What the page knows of one answer. After a failure `data` stays and `problem` says why it is not newer. */
export type AnswerState<T> = { data: T | null; problem: Problem | null; loading: boolean }

export type AnswerFeed<T> = {
  /** Asks again, unless the last question is still open: a slow service must not collect a queue of them. */
  refresh: () => Promise<void>
  /** Asks as someone else. Forgets what the former reader saw, and an answer still on its way to them. */
  setToken: (token: string) => Promise<void>
  subscribe: (listener: () => void) => () => void
  snapshot: () => AnswerState<T>
}

/** Keeps the latest answer of one call; `load` makes one request as the bearer of `token`. */
export const answerFeed = <T>(load: (token: string, signal: AbortSignal) => Promise<T>): AnswerFeed<T> => {
  const listeners = new Set<() => void>()
  let token = ''
  let open: AbortController | null = null
  let state: AnswerState<T> = { data: null, problem: null, loading: false }

  const become = (next: AnswerState<T>) => {
    state = next
    for (const listener of listeners) listener()
  }

  const ask = async () => {
    const mine = new AbortController()
    open = mine
    become({ ...state, loading: true })
    try {
      const data = await load(token, mine.signal)
      if (open === mine) become({ data, problem: null, loading: false })
    } catch (thrown) {
      if (open === mine) become({ ...state, problem: problemFrom(thrown), loading: false })
    } finally {
      if (open === mine) open = null
    }
  }

  return {
    refresh: async () => {
      if (open === null) await ask()
    },
    setToken: async (next) => {
      token = next
      open?.abort()
      become({ data: null, problem: null, loading: false })
      await ask()
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    snapshot: () => state,
  }
}
