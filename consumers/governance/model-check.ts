import type { HealthCheck } from '../../platform/http/health.ts'
import type { Analyzer } from './analyzer.ts'

/** Says in `/health` whether the model judges, or the rules alone. */
export function modelCheck(analyzer: Analyzer): HealthCheck {
  return {
    name: 'model',
    async run() {
      const problem = analyzer.modelProblem()
      if (problem === null) return { status: 'ok', detail: analyzer.models()[0]?.version ?? '' }
      const detail = 'the model cannot be used, so the rules judge alone; the log says why'
      return { status: 'failed', code: 'model_unusable', detail, cause: problem }
    },
  }
}
