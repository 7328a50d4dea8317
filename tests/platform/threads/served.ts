import { threadId } from 'node:worker_threads'
import { httpError } from '../../../platform/http/errors.ts'
import { serveJobs } from '../../../platform/threads/serve-jobs.ts'

const order: string[] = []

export const servedJobs = {
  add: ({ a, b }: { a: number; b: number }) => a + b,
  thread: () => threadId,
  /** Blocks the thread, as work does. */
  note({ who, ms }: { who: string; ms: number }): string[] {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    order.push(who)
    return order
  },
  refuse(): never {
    throw httpError('body_malformed', 'not so', { errors: [{ pointer: '/a', code: 'b', detail: 'c' }] })
  },
  fail(): never {
    throw new TypeError('broken')
  },
  hang(): never {
    for (;;);
  },
  leave: () => process.exit(3),
}

serveJobs(servedJobs)
