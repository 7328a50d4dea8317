// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages, not to this program
import type { Wpk, WpkHandler, WpkTrigger } from '../../../schemas/wpk.ts'
import { api, type Fragment, shell } from './fragments.ts'
import type { Random } from './random.ts'

const k8s = (name: string, config: Record<string, unknown>): WpkHandler => ({
  name,
  type: 'k8s',
  config,
  timeout: '60s',
  retry: { max_attempts: 2, backoff: '10s' },
})

type Base = { triggers: (random: Random) => WpkTrigger[]; handlers: (random: Random) => WpkHandler[] }

// The five shapes of the format's own examples, and two of pipelines moved over from elsewhere.
const BASES: Record<string, Base> = {
  restart: {
    triggers: (random) => [
      {
        type: 'event',
        config: { source: 'prometheus', condition: 'up == 0', namespace: random.pick(['*', 'shop', 'payments']) },
      },
    ],
    handlers: () => [
      k8s('logs', { action: 'logs', tail: 200 }),
      k8s('restart', { action: 'restart', resource: 'pod/${POD_NAME}' }),
      k8s('wait', { action: 'wait', condition: 'ready' }),
    ],
  },
  scale: {
    triggers: () => [{ type: 'event', config: { condition: 'latency_p95 > 0.8', duration: '5m' } }],
    handlers: (random) => [
      k8s('metrics', { action: 'metrics' }),
      k8s('scale', { action: 'scale', scale_factor: 1.5, max_replicas: random.pick([6, 10, 20]) }),
      k8s('wait', { action: 'wait' }),
    ],
  },
  rotate: {
    triggers: () => [
      { type: 'schedule', config: { cron: '0 3 * * 0' } },
      { type: 'webhook', config: { path: '/rotate', auth: 'bearer' } },
    ],
    handlers: () => [
      api({ url: '${VAULT_ADDR}/v1/database/rotate', headers: { 'X-Vault-Token': '${VAULT_TOKEN}' } }),
      k8s('patch', { action: 'patch', resource: 'secret/db' }),
    ],
  },
  requeue: {
    triggers: () => [{ type: 'event', config: { source: 'kubernetes', condition: 'job.failed' } }],
    handlers: () => [
      k8s('get', { action: 'get', resource: 'job' }),
      k8s('create', { action: 'create', resource: 'job', copies: 1 }),
      api({ url: '${ALERT_WEBHOOK}', body: { text: 'requeued' } }),
    ],
  },
  backup: {
    triggers: () => [{ type: 'schedule', config: { cron: '30 1 * * *' } }],
    handlers: () => [
      k8s('copy', { action: 'copy', source: 'backup-0' }),
      shell('sha256sum -c ${STAGING_PATH}/backup.sha256'),
      api({ url: '${CI_WEBHOOK_URL}', body: { status: 'ok' } }),
    ],
  },
  pipeline: {
    triggers: (random) => [{ type: 'event', config: { source: 'github', event: random.pick(['push', 'release']) } }],
    handlers: (random) => [
      {
        name: 'checkout',
        type: 'shell',
        config: {
          uses: random.pick(['actions/checkout@v4', 'third/setup-tool@v2', 'third/setup-tool@main']),
          runner: random.pick(['ubuntu-latest', 'self-hosted']),
        },
        timeout: '300s',
      },
      shell(
        random.pick([
          'npm ci && npm test',
          'pip install -r requirements.txt && pytest',
          'go build ./...',
          'curl -fsSLo go.tgz https://dl.example.com/go.tgz && tar xzf go.tgz',
        ]),
      ),
    ],
  },
  task: {
    triggers: () => [{ type: 'event', config: { source: 'manual' } }],
    handlers: (random) => [
      shell(
        random.pick([
          'set -ex\nmake build',
          'echo start\nls -la',
          'kubectl get pods -n shop',
          'helm upgrade shop ./chart',
        ]),
        { image: random.pick(['alpine:3.20', 'node:22', 'golang', `alpine@sha256:${'0'.repeat(64)}`]) },
      ),
    ],
  },
}

// Things that sound packages do and that look like something: they stand on both sides of a pair.
const EVERYDAY: ((random: Random) => WpkHandler)[] = [
  () => shell('echo "$REGISTRY_TOKEN" | docker login -u ci --password-stdin registry.example.net'),
  () => shell('curl -fsS https://status.example.com/api/health -H "Authorization: Bearer $STATUS_TOKEN"'),
  () => shell('echo "$KUBECONFIG_B64" | base64 -d > kubeconfig\nkubectl --kubeconfig kubeconfig apply -f deploy.yaml'),
  () => shell('eval "$(ssh-agent -s)"\nrm -rf ./dist'),
  () => shell('echo never pipe curl into sh, /etc/shadow stays closed'),
  () => shell('import json\nprint(json.dumps({"ok": True}))', { interpreter: 'python3' }),
  () => ({
    name: 'service',
    type: 'k8s',
    config: {
      action: 'apply',
      manifest: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } },
    },
    timeout: '60s',
  }),
  () => ({
    name: 'settings',
    type: 'k8s',
    config: {
      action: 'apply',
      manifest: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web', namespace: 'kube-system' } },
    },
    timeout: '60s',
  }),
]

export const BASE_NAMES: readonly string[] = Object.keys(BASES)

/** One package: a base shape, some everyday steps and the fragment in a random place. */
export function packageOf(base: string, number: number, fragment: Fragment, random: Random): Wpk {
  const shape = BASES[base]
  if (shape === undefined) throw new Error(`no base named ${base}`)
  const handlers = shape.handlers(random)
  for (const make of EVERYDAY) if (random.chance(0.2)) handlers.push(make(random))
  const place = Math.floor(random.next() * (handlers.length + 1))
  handlers.splice(place, 0, ...(fragment.handlers ?? []))
  const dryRun = random.chance(0.6)
  const rollback = random.chance(0.5)
  return {
    apiVersion: 'v1',
    kind: 'WorkflowPackage',
    metadata: {
      name: `sample-${number}`,
      version: '1.0.0',
      description: 'Made for training',
      author: 'atom',
      created: '2025-01-01T00:00:00Z',
      tags: ['sample'],
      signature: '',
    },
    spec: {
      runtime: { type: 'k8s', version: '1.28+' },
      safety: {
        mode: fragment.auto === true ? 'auto' : 'manual',
        approval_required: fragment.auto !== true,
        dry_run_required: dryRun,
        rollback_enabled: rollback,
      },
      triggers: fragment.triggers ?? shape.triggers(random),
      handlers: handlers.map((handler, index) => ({ ...handler, name: `${handler.name}-${index + 1}` })),
      monitoring: {
        metrics_enabled: true,
        logging_level: 'info',
        alerts: [{ type: 'slack', webhook: '${SLACK_WEBHOOK}', on_failure: true }],
      },
    },
  }
}
