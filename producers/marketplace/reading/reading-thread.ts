import { serveJobs } from '../../../platform/threads/serve-jobs.ts'
import { readingJobs } from './reading-jobs.ts'

serveJobs(readingJobs)
