import type { Fault } from '../../platform/errors.ts'
import type { Ruled } from './judge.ts'

/** What travels between the analyzer and its worker threads. */
export type AnalysisRequest = { id: number; content: Uint8Array; mediaType?: string }

export type AnalysisReply =
  | { id: number; kind: 'ruled'; ruled: Ruled }
  | { id: number; kind: 'malformed'; errors: Fault[] }
  | { id: number; kind: 'failed'; detail: string }

export type WorkerReady = { kind: 'ready' }
