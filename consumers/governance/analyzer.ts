import { Worker } from 'node:worker_threads'
import type { Verdict } from '../../schemas/verdict.ts'
import type { AnalysisReply, AnalysisRequest, WorkerOptions, WorkerReady } from './analysis-messages.ts'
import { governanceError } from './errors.ts'
import type { ModelInfo } from './model-card.ts'

export type AnalyzerOptions = {
  /** Where model.onnx and model.json are; default: the folder shipped with the code. */
  modelDirectory?: URL
  /** Time for one analysis; the worker is replaced when it is over. Default 2000. */
  timeLimitMs?: number
  /** The worker's program; tests put one here that hangs or dies. */
  worker?: URL
}

export type Analyzer = {
  /**
   * The verdict on the exact bytes of a package. Rejects with an AppError: `wpk_malformed` (with `errors`, each with a
   * JSON Pointer), `analysis_timeout`, `analysis_failed` or `analyzer_closed`.
   */
  analyze: (content: Uint8Array, mediaType?: string) => Promise<Verdict>
  /** The model in use; empty when none is usable and the rules judge alone. */
  models: () => ModelInfo[]
  /** Why there is no usable model, or null. For /health. */
  modelProblem: () => string | null
  close: () => Promise<void>
}

type Job = { request: AnalysisRequest; resolve: (verdict: Verdict) => void; reject: (error: Error) => void }
type State = { worker: Worker; ready: WorkerReady }

const MODEL_DIRECTORY = new URL('./model/', import.meta.url)
const WORKER = new URL('./analysis-worker.mjs', import.meta.url)
const TIME_LIMIT_MS = 2000
// A worker that does not come up within this time will not come up.
const START_LIMIT_MS = 15_000
// Enough for a package of 1 MB many times over; a runaway analysis ends itself instead of the process.
const HEAP_LIMIT_MB = 256

/** Starts the worker thread and answers when it has loaded the rules and the model. */
export async function openAnalyzer(options: AnalyzerOptions = {}): Promise<Analyzer> {
  const timeLimitMs = options.timeLimitMs ?? TIME_LIMIT_MS
  const queue: Job[] = []
  let nextId = 1
  let running: Job | null = null
  let closed = false
  let state = await startWorker(options)
  let restarting: Promise<void> | null = null
  let finish: (() => void) | null = null
  watch(state.worker)

  function watch(worker: Worker): void {
    worker.on('message', (reply: AnalysisReply) => {
      if (running?.request.id === reply.id) settle(() => deliver(running, reply))
    })
    worker.on('error', (error) => lost(worker, error.message))
    worker.on('exit', (code) => lost(worker, `the worker ended with code ${code}`))
  }

  function settle(act: () => void): void {
    finish?.()
    finish = null
    act()
    running = null
    pump()
  }

  function pump(): void {
    if (closed || running !== null || restarting !== null) return
    const job = queue.shift()
    if (job === undefined) return
    running = job
    const timer = setTimeout(() => {
      settle(() => {
        job.reject(governanceError('analysis_timeout', `no verdict within ${timeLimitMs} ms`))
        replace()
      })
    }, timeLimitMs)
    finish = () => clearTimeout(timer)
    state.worker.postMessage(job.request)
  }

  /** The worker died by itself: only the package it was working on fails. */
  function lost(worker: Worker, detail: string): void {
    if (closed || worker !== state.worker || restarting !== null) return
    settle(() => {
      running?.reject(governanceError('analysis_failed', detail))
      replace()
    })
  }

  function replace(): void {
    const old = state.worker
    restarting = old
      .terminate()
      .then(() => startWorker(options))
      .then((next) => {
        if (closed) return void next.worker.terminate()
        state = next
        watch(next.worker)
      })
      .catch((error: unknown) => {
        for (const job of queue.splice(0))
          job.reject(governanceError('analysis_failed', String(error), { cause: error }))
      })
      .finally(() => {
        restarting = null
        pump()
      })
  }

  return {
    analyze: (content, mediaType) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(governanceError('analyzer_closed', 'the analyzer is closed'))
          return
        }
        // A copy: the caller may reuse its buffer, and a pooled Buffer would carry its whole pool along.
        const request: AnalysisRequest = {
          id: nextId,
          content: Uint8Array.from(content),
          ...(mediaType === undefined ? {} : { mediaType }),
        }
        nextId += 1
        queue.push({ request, resolve, reject })
        pump()
      }),
    models: () => (state.ready.model === null ? [] : [state.ready.model]),
    modelProblem: () => state.ready.reason,
    close: async () => {
      closed = true
      finish?.()
      for (const job of [...(running === null ? [] : [running]), ...queue.splice(0)]) {
        job.reject(governanceError('analyzer_closed', 'the analyzer is closed'))
      }
      await restarting
      await state.worker.terminate()
    },
  }
}

function deliver(job: Job | null, reply: AnalysisReply): void {
  if (reply.kind === 'verdict') job?.resolve(reply.verdict)
  else if (reply.kind === 'failed') job?.reject(governanceError('analysis_failed', reply.detail))
  else
    job?.reject(
      governanceError('wpk_malformed', reply.errors[0]?.detail ?? 'not a workflow package', { errors: reply.errors }),
    )
}

function startWorker(options: AnalyzerOptions): Promise<State> {
  const data: WorkerOptions = { modelDirectory: (options.modelDirectory ?? MODEL_DIRECTORY).href }
  const worker = new Worker(options.worker ?? WORKER, {
    workerData: data,
    // Nothing of the process's own flags: an inherited `--import tsx` is looked up from the working directory.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_MB },
  })
  return new Promise<State>((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error('the analysis worker did not start')), START_LIMIT_MS)
    const fail = (error: Error): void => {
      clearTimeout(timer)
      void worker.terminate()
      reject(error)
    }
    worker.once('error', fail)
    worker.once('exit', (code) => fail(new Error(`the analysis worker ended with code ${code} while starting`)))
    worker.once('message', (ready: WorkerReady) => {
      clearTimeout(timer)
      worker.removeAllListeners('error')
      worker.removeAllListeners('exit')
      resolve({ worker, ready })
    })
  })
}
