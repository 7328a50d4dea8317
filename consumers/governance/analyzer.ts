import { setTimeout as pause } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { messageOf } from '../../platform/errors.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { AnalysisReply, AnalysisRequest } from './analysis-messages.ts'
import { governanceError } from './errors.ts'
import { FEATURE_NAMES } from './features.ts'
import { conclude } from './judge.ts'
import { loadModel } from './model.ts'
import type { ModelInfo } from './model-card.ts'
import { startWorker } from './start-worker.ts'

export type AnalyzerOptions = {
  /** Where model.onnx and model.json are; default: the folder shipped with the code. */
  modelDirectory?: URL
  /** Time for one analysis; the worker is replaced when it is over. Default 2000. */
  timeLimitMs?: number
  /** Worker threads. Default 2: one always stays free for packages that were submitted. */
  workers?: number
  /** The worker's program; tests put one here that hangs or dies. */
  worker?: URL
}

export type AnalyzeOptions = {
  /** For what was submitted: goes before everything that was only asked about, and finds a worker that this cannot take. */
  urgent?: boolean
}

export type Analyzer = {
  /**
   * The verdict on the exact bytes of a package. Rejects with an AppError: `wpk_malformed` (with `errors`, each with a
   * JSON Pointer), `analysis_timeout`, `analysis_memory` and `analysis_failed` (all about this package),
   * `analyzer_busy`, `analyzer_unavailable` or `analyzer_closed` (none of them is).
   */
  analyze: (content: Uint8Array, mediaType?: string, options?: AnalyzeOptions) => Promise<Verdict>
  /** The model in use; empty when none is usable and the rules judge alone. */
  models: () => ModelInfo[]
  /** Why there is no usable model, or null. For /health. */
  modelProblem: () => string | null
  close: () => Promise<void>
}

type Job = {
  request: AnalysisRequest
  urgent: boolean
  resolve: (verdict: Verdict) => void
  reject: (error: Error) => void
}
/** A place for one worker. `use` is what it does, or what it did when it had to be replaced. */
type Slot = { worker: Worker | null; job: Job | null; use: 'urgent' | 'other' | null; timer?: NodeJS.Timeout }

const MODEL_DIRECTORY = new URL('./model/', import.meta.url)
const TIME_LIMIT_MS = 2000
// Asked about and not yet begun: more than these only grow old, and each may be 2.5 MB.
const MOST_WAITING = 64
const RESTART_PAUSE_MS = 500

/** Starts the worker threads and answers when the first has loaded the rules. */
export async function openAnalyzer(options: AnalyzerOptions = {}): Promise<Analyzer> {
  const { timeLimitMs = TIME_LIMIT_MS, workers = 2, modelDirectory = MODEL_DIRECTORY } = options
  const slots: Slot[] = Array.from({ length: workers }, () => ({ worker: null, job: null, use: null }))
  const urgentJobs: Job[] = []
  const otherJobs: Job[] = []
  const starting = new Set<Promise<void>>()
  const concluding = new Set<Promise<void>>()
  const stopping = new AbortController()
  // Here and not in the workers: an inference takes microseconds, and a worker must be free to be ended at any time.
  const model = await loadModel(modelDirectory, FEATURE_NAMES)
  let nextId = 1

  const start = async (slot: Slot): Promise<void> => {
    const worker = await startWorker(options.worker)
    if (stopping.signal.aborted) return void (await worker.terminate())
    slot.worker = worker
    slot.use = null
    worker.on('message', (reply: AnalysisReply) => {
      if (slot.worker === worker && slot.job?.request.id === reply.id) finish(slot, (job) => deliver(job, reply))
    })
    worker.on('error', (error) => lost(slot, worker, error))
    worker.on('exit', (code) => lost(slot, worker, new Error(`the worker ended with code ${code}`)))
    pump()
  }

  /** Puts a new worker into a slot, as often as it takes; who waits for it while there is no other is told. */
  const fill = (slot: Slot): void => {
    const filling = (async () => {
      while (!stopping.signal.aborted) {
        try {
          return await start(slot)
        } catch (error) {
          if (slots.every(({ worker }) => worker === null)) refuseAll('analyzer_unavailable', messageOf(error))
          await pause(RESTART_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {})
        }
      }
    })().finally(() => starting.delete(filling))
    starting.add(filling)
  }

  const refuseAll = (code: 'analyzer_unavailable' | 'analyzer_closed', detail: string): void => {
    for (const job of [...urgentJobs.splice(0), ...otherJobs.splice(0)]) job.reject(governanceError(code, detail))
  }

  /** The worker died by itself: only the package it was working on fails. */
  const lost = (slot: Slot, worker: Worker, error: Error & { code?: string }): void => {
    if (slot.worker !== worker) return
    const memory = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    replace(slot, memory ? 'analysis_memory' : 'analysis_failed', memory ? 'out of memory' : error.message)
  }

  const replace = (
    slot: Slot,
    code: 'analysis_timeout' | 'analysis_memory' | 'analysis_failed',
    detail: string,
  ): void => {
    const { worker, use } = slot
    slot.worker = null
    finish(slot, (job) => job.reject(governanceError(code, detail)))
    // Until it is there again the slot counts as used by what broke it, or that could go on to take the next one.
    slot.use = use
    void worker?.terminate()
    if (!stopping.signal.aborted) fill(slot)
  }

  const finish = (slot: Slot, act: (job: Job) => void): void => {
    const { job } = slot
    clearTimeout(slot.timer)
    slot.job = null
    if (slot.worker !== null) slot.use = null
    if (job !== null) act(job)
    pump()
  }

  const deliver = (job: Job, reply: AnalysisReply): void => {
    if (reply.kind === 'failed') job.reject(governanceError('analysis_failed', reply.detail))
    else if (reply.kind === 'malformed') {
      const detail = reply.errors[0]?.detail ?? 'not a workflow package'
      job.reject(governanceError('wpk_malformed', detail, { errors: reply.errors }))
    } else {
      const concluded = conclude(reply.ruled, model)
        .then(job.resolve, job.reject)
        .finally(() => concluding.delete(concluded))
      concluding.add(concluded)
    }
  }

  const pump = (): void => {
    if (stopping.signal.aborted) return
    for (const slot of slots) {
      if (slot.worker === null || slot.job !== null) continue
      const job = urgentJobs.shift() ?? (mayTakeOther() ? otherJobs.shift() : undefined)
      if (job === undefined) return
      run(slot, slot.worker, job)
    }
  }

  const mayTakeOther = (): boolean => slots.filter(({ use }) => use === 'other').length < Math.max(slots.length - 1, 1)

  const run = (slot: Slot, worker: Worker, job: Job): void => {
    slot.job = job
    slot.use = job.urgent ? 'urgent' : 'other'
    slot.timer = setTimeout(() => replace(slot, 'analysis_timeout', `no verdict within ${timeLimitMs} ms`), timeLimitMs)
    worker.postMessage(job.request)
  }

  const [first, ...others] = slots
  if (first === undefined) throw new Error('an analyzer needs a worker')
  await start(first)
  for (const slot of others) fill(slot)

  return {
    analyze: (content, mediaType, { urgent = false } = {}) =>
      new Promise((resolve, reject) => {
        if (stopping.signal.aborted) return reject(governanceError('analyzer_closed', 'the analyzer is closed'))
        const jobs = urgent ? urgentJobs : otherJobs
        if (jobs.length >= MOST_WAITING)
          return reject(governanceError('analyzer_busy', `${MOST_WAITING} documents wait already`))
        // A copy: the caller may reuse its buffer, and a pooled Buffer would carry its whole pool along.
        const request: AnalysisRequest = {
          id: nextId,
          content: Uint8Array.from(content),
          ...(mediaType === undefined ? {} : { mediaType }),
        }
        nextId += 1
        jobs.push({ request, urgent, resolve, reject })
        pump()
      }),
    models: () => (model.usable ? [model.card] : []),
    modelProblem: () => (model.usable ? null : model.reason),
    close: async () => {
      stopping.abort()
      refuseAll('analyzer_closed', 'the analyzer is closed')
      const running = slots.map((slot) => {
        const { worker } = slot
        slot.worker = null
        finish(slot, (job) => job.reject(governanceError('analyzer_closed', 'the analyzer is closed')))
        return worker?.terminate()
      })
      await Promise.all([...running, ...starting, ...concluding])
      if (model.usable) await model.close()
    },
  }
}
