import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../platform/errors.ts'
import type { AnalysisReply, AnalysisRequest, WorkerOptions, WorkerReady } from './analysis-messages.ts'
import { FEATURE_NAMES } from './features.ts'
import { judge } from './judge.ts'
import { loadModel } from './model.ts'
import { readPackage } from './read-package.ts'

// The body of the worker thread: one package after the other, so that a slow or hostile one holds up nothing but the
// next analysis, and can be ended from outside.
const port = parentPort
if (port === null) throw new Error('analysis-worker.ts only runs as a worker thread')

const options = workerData as WorkerOptions
const model = await loadModel(new URL(options.modelDirectory), FEATURE_NAMES)
const ready: WorkerReady = {
  kind: 'ready',
  model: model.usable ? model.card : null,
  reason: model.usable ? null : model.reason,
}

port.on('message', (request: AnalysisRequest) => {
  void answer(request).then((reply) => port.postMessage(reply))
})
port.postMessage(ready)

async function answer({ id, content, mediaType }: AnalysisRequest): Promise<AnalysisReply> {
  try {
    const read = readPackage(content, mediaType)
    if (!read.ok) return { id, kind: 'malformed', errors: read.errors }
    return { id, kind: 'verdict', verdict: await judge(content, read.wpk, model) }
  } catch (error) {
    return { id, kind: 'failed', detail: messageOf(error) }
  }
}
