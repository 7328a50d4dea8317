import { Worker } from 'node:worker_threads'
import type { WorkerOptions, WorkerReady } from './analysis-messages.ts'

export type StartedWorker = { worker: Worker; ready: WorkerReady }

const WORKER = new URL('./analysis-worker.mjs', import.meta.url)
// A worker that does not come up within this time will not come up.
const START_LIMIT_MS = 15_000
// Enough for a package of 1 MB many times over; a runaway analysis ends itself instead of the process.
const HEAP_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 }

/** Starts one worker thread and answers when it has loaded the rules and the model; rejects when it does not. */
export function startWorker(modelDirectory: URL, program: URL = WORKER): Promise<StartedWorker> {
  const data: WorkerOptions = { modelDirectory: modelDirectory.href }
  const worker = new Worker(program, {
    workerData: data,
    // Nothing of the process's own flags: an inherited `--import tsx` is looked up from the working directory.
    execArgv: [],
    resourceLimits: HEAP_LIMITS,
  })
  return new Promise<StartedWorker>((resolve, reject) => {
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
