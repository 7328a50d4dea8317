import type { Credentials, Home } from './running-system.ts'

export type Context = { home: Home; orgs: Credentials['orgs']; starts: { first_ms: number; later_ms: number } }

/** One report: its page, the answers kept beside it, the tests that belong to it, and its figures for the snapshot. */
export type Section = {
  id: 'E.1' | 'E.2' | 'E.3' | 'E.4' | 'E.5'
  page: string
  title: string
  tests: string[]
  run(context: Context): Promise<Result>
}
export type Result = {
  /** Lines of the page, in Markdown. */
  lines: string[]
  /** Answers of the running system, by file name. */
  files: Record<string, unknown>
  figures: Record<string, unknown>
}
