import { jobThread } from '../../../platform/threads/job-thread.ts'
import type { readingJobs } from './reading-jobs.ts'

/** The thread of this process that reads documents. It starts with the first one. */
export const reading = jobThread<typeof readingJobs>(new URL('./reading-thread.mjs', import.meta.url))
