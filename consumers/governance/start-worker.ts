import { Worker } from 'node:worker_threads'
import type { WorkerReady } from './analysis-messages.ts'

const WORKER = new URL('./analysis-worker.mjs', import.meta.url)
// A worker that does not come up within this time will not come up.
const START_LIMIT_MS = 60_000
// Enough for a package of 1 MB many times over; a runaway analysis ends itself instead of the process.
const HEAP_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 }

/** Starts one worker thread and answers when it has loaded the rules; rejects when it does not. */
export function startWorker(program: URL = WORKER): Promise<Worker> {
  const worker = new Worker(program, {
    // Nothing of the process's own flags: an inherited `--import tsx` is looked up from the working directory.
    execArgv: [],
    resourceLimits: HEAP_LIMITS,
  })
  return new Promise<Worker>((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error('the analysis worker did not start')), START_LIMIT_MS)
    const fail = (error: Error): void => {
      clearTimeout(timer)
      void worker.terminate()
      reject(error)
    }
    worker.once('error', fail)
    worker.once('exit', (code) => fail(new Error(`the analysis worker ended with code ${code} while starting`)))
    worker.once('message', (_ready: WorkerReady) => {
      clearTimeout(timer)
      worker.removeAllListeners('error')
      worker.removeAllListeners('exit')
      resolve(worker)
    })
  })
}
