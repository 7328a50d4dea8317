import type { HealthCheck } from '../../platform/http/health.ts'
import type { Analyzer } from './analyzer.ts'

/** Degraded while the rules judge alone: safe, but blind to what no rule names. */
export const modelCheck = (analyzer: Analyzer): HealthCheck => ({
  name: 'model',
  async run() {
    const problem = analyzer.modelProblem()
    if (problem === null) return { status: 'ok', detail: analyzer.models()[0]?.version ?? '' }
    const detail = 'the model cannot be used, so the rules judge alone; the log says why'
    return { status: 'failed', code: 'model_unusable', detail, cause: problem }
  },
})
