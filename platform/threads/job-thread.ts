import { Worker } from 'node:worker_threads'
import { httpError } from '../http/errors.ts'
import { errorOf, type Jobs, NOTHING, type ThreadReply, type ThreadRequest } from './serve-jobs.ts'

export type JobThreadOptions = {
  /** Time for one job, from its begin; the thread is ended when it is over. Default 5000. */
  timeLimitMs?: number
  /** Jobs of one caller that wait at most. Default 32; each may hold some MB. */
  mostWaiting?: number
}
export type JobThread<J extends Jobs> = {
  /**
   * Runs a job on the thread. `who` is for whom: callers take turns, so that one with many jobs does not keep the
   * others waiting for all of them. Rejects with the AppError that the job threw, or with `unavailable`.
   */
  run<N extends keyof J & string>(name: N, who: string, input: Parameters<J[N]>[0]): Promise<Awaited<ReturnType<J[N]>>>
  /** Starts the thread now, so that the first job does not wait for that; rejects when it does not come up. */
  ready(): Promise<void>
}

type Job = {
  request: Omit<ThreadRequest, 'id'>
  resolve: (value: never) => void
  reject: (error: Error) => void
}

const TIME_LIMIT_MS = 5_000
const MOST_WAITING = 32
/** Enough for a document of some MB many times over; a runaway job ends itself instead of the process. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 64 }

/**
 * One thread for work that would keep the event loop from everybody else. `program` is an .mjs that serves `J` (see
 * `serveJobs`). The thread starts with the first job and never keeps the process alive by itself.
 */
export function jobThread<J extends Jobs>(program: URL, options: JobThreadOptions = {}): JobThread<J> {
  const { timeLimitMs = TIME_LIMIT_MS, mostWaiting = MOST_WAITING } = options
  /** In the order of their turns. */
  const waiting = new Map<string, Job[]>()
  let worker: Worker | null = null
  let isReady = false
  let current: { id: number; job: Job; timer: NodeJS.Timeout } | null = null
  let lastId = 0

  function start(): void {
    // Nothing of the process's own flags: an inherited `--import tsx` is looked up from the working directory.
    const started = new Worker(program, { execArgv: [], resourceLimits: HEAP_LIMITS })
    worker = started
    isReady = false
    started.on('message', (reply: ThreadReply) => {
      if (worker !== started) return
      if (reply.kind === 'ready') isReady = true
      else if (reply.id === current?.id) finish((job) => settle(job, reply))
      pump()
    })
    started.on('error', (error) => lost(started, error.message))
    started.on('exit', (code) => lost(started, `it ended with code ${code}`))
  }

  /** The thread ended: only the job it was at fails, or all of them where it never came up. */
  function lost(which: Worker, detail: string): void {
    if (worker !== which) return
    const cameUp = isReady
    worker = null
    void which.terminate()
    finish((job) => job.reject(unavailable(detail)))
    if (!cameUp) for (const job of [...waiting.values()].flat()) job.reject(unavailable(detail))
    if (!cameUp) waiting.clear()
    pump()
  }

  function finish(act: (job: Job) => void): void {
    if (!current) return
    const { job, timer } = current
    clearTimeout(timer)
    current = null
    act(job)
  }

  function pump(): void {
    if (waiting.size === 0) {
      if (!current) worker?.unref()
      return
    }
    if (!worker) start()
    worker?.ref()
    if (worker && isReady && !current) begin(worker, nextJob())
  }

  function nextJob(): Job {
    const [who, jobs] = [...waiting.entries()][0] as [string, Job[]]
    const job = jobs.shift() as Job
    waiting.delete(who)
    if (jobs.length > 0) waiting.set(who, jobs)
    return job
  }

  function begin(on: Worker, job: Job): void {
    lastId += 1
    const timer = setTimeout(() => lost(on, `it took longer than ${timeLimitMs} ms`), timeLimitMs)
    current = { id: lastId, job, timer }
    on.postMessage({ ...job.request, id: lastId } satisfies ThreadRequest)
  }

  const run = (name: string, who: string, input: unknown): Promise<never> =>
    new Promise((resolve, reject) => {
      const jobs = waiting.get(who) ?? []
      if (jobs.length >= mostWaiting) return reject(unavailable(`${mostWaiting} requests of yours wait already`))
      waiting.set(who, [...jobs, { request: { name, input }, resolve, reject }])
      pump()
    })
  return { run, ready: () => run(NOTHING, '', null) }
}

function settle(job: Job, reply: Exclude<ThreadReply, { kind: 'ready' }>): void {
  if (reply.kind === 'done') job.resolve(reply.value as never)
  else job.reject(reply.kind === 'failed' ? new Error(reply.detail) : errorOf(reply.error))
}

const unavailable = (detail: string) =>
  httpError('unavailable', `the document was not read: ${detail}`, { headers: { 'retry-after': '1' } })
