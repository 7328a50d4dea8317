import type { Log } from './log.ts'

/** Logs why something failed when it is another reason than the last time it was asked: machines ask every few seconds. */
export function failureLog(log: Log, message: string): (name: string, error: string | null) => void {
  const last = new Map<string, string | null>()
  return (name, error) => {
    if (error !== null && last.get(name) !== error) log.error(message, { name, error })
    last.set(name, error)
  }
}
