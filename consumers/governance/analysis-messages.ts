import type { Fault } from '../../platform/errors.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { ModelInfo } from './model-card.ts'

/** What travels between the analyzer and its worker thread. */
export type AnalysisRequest = { id: number; content: Uint8Array; mediaType?: string }

export type AnalysisReply =
  | { id: number; kind: 'verdict'; verdict: Verdict }
  | { id: number; kind: 'malformed'; errors: Fault[] }
  | { id: number; kind: 'failed'; detail: string }

export type WorkerReady = { kind: 'ready'; model: ModelInfo | null; reason: string | null }

export type WorkerOptions = { modelDirectory: string }
