// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { unboundedExecution } from '../../../../consumers/governance/rules/unbounded-execution.ts'
import { packageWith } from '../packages.ts'
import { pod, ruleCases } from './cases.ts'

const bounded = { validation: { schema_version: 'v1', resource_limits: { max_runtime: '10m', max_replicas: 5 } } }
const step = (config: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  name: 'step',
  type: 'k8s' as const,
  config,
  timeout: '30s',
  ...more,
})

ruleCases(unboundedExecution, {
  finds: [
    pod({}),
    packageWith([step({ action: 'scale', max_replicas: 9 })], bounded),
    packageWith([step({ action: 'get' }, { retry: { max_attempts: 500, backoff: '1s' } })], bounded),
    packageWith([step({ action: 'create', target: 'job/again' })], {
      ...bounded,
      triggers: [{ type: 'event', config: { condition: 'job.status.failed > 0' } }],
    }),
  ],
  leaves: [
    packageWith([step({ action: 'scale', max_replicas: 5 })], bounded),
    packageWith([step({ action: 'get', target: 'job/a' })], {
      ...bounded,
      triggers: [{ type: 'event', config: { condition: 'job.status.failed > 0' } }],
    }),
    packageWith([
      step({
        action: 'apply',
        manifest: {
          apiVersion: 'v1',
          kind: 'Pod',
          spec: { containers: [{ name: 'a', resources: { limits: { memory: '1Gi' } } }] },
        },
      }),
    ]),
  ],
})
