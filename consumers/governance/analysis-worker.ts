import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../platform/errors.ts'
import type { AnalysisReply, AnalysisRequest, WorkerReady } from './analysis-messages.ts'
import { ruled } from './judge.ts'
import { readPackage } from './read-package.ts'

// The body of a worker thread: one package after the other, so that a slow or hostile one holds up nothing but the
// next analysis, and can be ended from outside. Only our own code runs in here: a native library that is ended in the
// middle of a call ends the whole process, so the model stays outside.
const port = parentPort
if (port === null) throw new Error('analysis-worker.ts only runs as a worker thread')

port.on('message', (request: AnalysisRequest) => port.postMessage(answer(request)))
const ready: WorkerReady = { kind: 'ready' }
port.postMessage(ready)

function answer({ id, content, mediaType }: AnalysisRequest): AnalysisReply {
  try {
    const read = readPackage(content, mediaType)
    if (!read.ok) return { id, kind: 'malformed', errors: read.errors }
    return { id, kind: 'ruled', ruled: ruled(content, read.wpk) }
  } catch (error) {
    return { id, kind: 'failed', detail: messageOf(error) }
  }
}
