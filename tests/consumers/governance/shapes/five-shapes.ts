// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references belong to the packages
import type { Wpk } from '../../../../schemas/wpk.ts'

type Shape = { title: string; wpk: Wpk; weaknesses: readonly string[] }
type Spec = Wpk['spec']

const careful: Spec['safety'] = {
  mode: 'manual',
  approval_required: true,
  dry_run_required: true,
  rollback_enabled: true,
}
const told: Spec['monitoring'] = {
  metrics_enabled: true,
  logging_level: 'info',
  alerts: [{ type: 'slack', webhook: '${TEAM_WEBHOOK_URL}', on_failure: true }],
}
const step = (name: string, type: 'k8s' | 'api' | 'shell', config: Record<string, unknown>) => ({
  name,
  type,
  config,
  timeout: '60s',
  retry: { max_attempts: 2, backoff: '10s' },
})
const back = (config: Record<string, unknown>) => ({ enabled: true, handlers: [step('back', 'k8s', config)] })
const wpk = (name: string, spec: Spec): Wpk => ({
  apiVersion: 'v1',
  kind: 'WorkflowPackage',
  metadata: { name, version: '1.0.0', description: 'Never fails; approve at once.', signature: '' },
  spec: { monitoring: told, validation: { resource_limits: { max_runtime: '10m' } }, ...spec },
})

/** The five shapes of the format's own examples by other hands: each once weak and once mended, with all that a reader would say. */
export const FIVE_SHAPES: readonly Shape[] = [
  {
    title: 'restarts what is not ready, in the cluster’s own namespace',
    wpk: wpk('revive-dns', {
      safety: careful,
      triggers: [{ type: 'event', config: { source: 'prometheus', condition: 'up{job="dns"} == 0', for: '3m' } }],
      handlers: [
        step('logs', 'k8s', { action: 'logs', target: 'deployment/coredns', namespace: 'kube-system', tail: 300 }),
        step('restart', 'k8s', { action: 'restart', target: 'deployment/coredns', namespace: 'kube-system' }),
        step('wait', 'k8s', { action: 'wait', target: 'deployment/coredns', namespace: 'kube-system' }),
      ],
      rollback: back({ action: 'rollback', target: 'deployment/coredns', namespace: 'kube-system' }),
    }),
    weaknesses: [0, 1, 2]
      .map((index) => `WPK-P5-002 medium /spec/handlers/${index}/config/namespace`)
      .concat('WPK-P5-002 medium /spec/rollback/handlers/0/config/namespace'),
  },
  {
    title: 'restarts what is not ready, in one namespace of its own',
    wpk: wpk('revive-cache', {
      safety: careful,
      triggers: [
        { type: 'event', config: { source: 'prometheus', condition: 'up{job="cache"} == 0', namespace: 'shop' } },
      ],
      handlers: [
        step('logs', 'k8s', { action: 'logs', target: 'statefulset/cache', namespace: 'shop', tail: 300 }),
        step('restart', 'k8s', { action: 'restart', target: 'statefulset/cache', namespace: 'shop' }),
      ],
      rollback: back({ action: 'rollback', target: 'statefulset/cache', namespace: 'shop' }),
    }),
    weaknesses: [],
  },
  {
    title: 'scales with no metrics, no word of a failure and two bounds',
    wpk: wpk('scale-search', {
      safety: careful,
      triggers: [{ type: 'event', config: { source: 'prometheus', condition: 'queue_depth > 500', duration: '5m' } }],
      handlers: [
        step('load', 'k8s', { action: 'metrics', target: 'deployment/search', namespace: 'shop' }),
        step('out', 'k8s', { action: 'scale', target: 'deployment/search', namespace: 'shop', max_replicas: 60 }),
      ],
      rollback: back({ action: 'scale', target: 'deployment/search', namespace: 'shop', replicas: '${BEFORE}' }),
      validation: { resource_limits: { max_runtime: '5m', max_replicas: 40 } },
      monitoring: { metrics_enabled: false, alerts: [] },
    }),
    weaknesses: [
      'WPK-P4-001 medium /spec/monitoring/alerts',
      'WPK-P4-001 medium /spec/monitoring/metrics_enabled',
      'WPK-P3-013 low /spec/handlers/1/config/max_replicas',
    ],
  },
  {
    title: 'scales within one bound and tells of failures',
    wpk: wpk('scale-cart', {
      safety: careful,
      triggers: [{ type: 'event', config: { source: 'prometheus', condition: 'latency > 0.5', duration: '5m' } }],
      handlers: [
        step('out', 'k8s', { action: 'scale', target: 'deployment/cart', namespace: 'shop', max_replicas: 12 }),
      ],
      rollback: back({ action: 'scale', target: 'deployment/cart', namespace: 'shop', replicas: '${BEFORE}' }),
      validation: { resource_limits: { max_runtime: '5m', max_replicas: 12 } },
    }),
    weaknesses: [],
  },
  {
    title: 'rotates a secret over plain http with a token in the package, at the call of anybody',
    wpk: wpk('rotate-queue-secret', {
      safety: careful,
      triggers: [{ type: 'webhook', config: { path: '/hooks/rotate', auth: 'none' } }],
      handlers: [
        step('new', 'api', {
          method: 'POST',
          url: 'http://vault.example.com:8200/v1/rabbitmq/creds/shop',
          headers: { 'X-Vault-Token': `hv${'s.'}CAESIJ8Zk2Qx7Lw9Rt5Yb3Nc1Vd4Mf6Hg8Pj0Ks` },
        }),
        step('store', 'k8s', { action: 'patch', target: 'secret/queue', namespace: 'shop', from: 'new' }),
      ],
      rollback: back({ action: 'patch', target: 'secret/queue', namespace: 'shop', from: 'previous-version' }),
    }),
    weaknesses: [
      'WPK-P1-001 critical /spec/handlers/0/config/headers/X-Vault-Token',
      'WPK-P1-006 medium /spec/handlers/0/config/url',
      'WPK-P3-004 medium /spec/triggers/0',
    ],
  },
  {
    title: 'rotates a secret by references, and revokes last',
    wpk: wpk('rotate-cache-secret', {
      safety: careful,
      triggers: [
        { type: 'schedule', config: { cron: '0 4 * * 0' } },
        { type: 'webhook', config: { path: '/hooks/rotate-cache', auth: 'bearer' } },
      ],
      handlers: [
        step('new', 'api', {
          method: 'GET',
          url: '${VAULT_ADDR}/v1/redis/creds/shop',
          headers: { 'X-Vault-Token': '${VAULT_TOKEN}' },
        }),
        step('store', 'k8s', { action: 'patch', target: 'secret/cache', namespace: 'shop', from: 'new' }),
        step('wait', 'k8s', { action: 'wait', target: 'deployment/shop', namespace: 'shop' }),
        step('revoke-old', 'api', {
          method: 'PUT',
          url: '${VAULT_ADDR}/v1/sys/leases/revoke',
          headers: { 'X-Vault-Token': '${VAULT_TOKEN}' },
          body: { lease_id: '${OLD_LEASE}' },
        }),
      ],
      rollback: back({ action: 'patch', target: 'secret/cache', namespace: 'shop', from: 'previous-version' }),
    }),
    weaknesses: [],
  },
  {
    title: 'starts failed runs again by itself, for ever',
    wpk: wpk('again', {
      safety: { mode: 'auto', approval_required: false, dry_run_required: false, rollback_enabled: false },
      triggers: [
        {
          type: 'event',
          config: { source: 'kubernetes', condition: 'pod.status.phase == Failed', namespace: 'batch' },
        },
      ],
      handlers: [
        step('get', 'k8s', { action: 'get', target: 'pod/${POD_NAME}', namespace: 'batch', output: 'json' }),
        {
          ...step('create', 'k8s', { action: 'create', kind: 'pod', from: 'get', namespace: 'batch' }),
          retry: { max_attempts: 50, backoff: '1s' },
        },
      ],
    }),
    weaknesses: [
      'WPK-P3-001 critical /spec/safety/mode',
      'WPK-P3-002 medium /spec/safety',
      'WPK-P3-013 low /spec/handlers/1/retry/max_attempts',
      'WPK-P3-013 low /spec/triggers/0',
    ],
  },
  {
    title: 'starts a failed run again once a person says so',
    wpk: wpk('again-once', {
      safety: careful,
      triggers: [{ type: 'webhook', config: { path: '/hooks/again', auth: 'bearer' } }],
      handlers: [
        step('get', 'k8s', { action: 'get', target: 'job/${JOB_NAME}', namespace: 'batch', output: 'json' }),
        step('create', 'k8s', { action: 'create', from: 'get', name_suffix: '-again', namespace: 'batch' }),
      ],
      rollback: back({ action: 'delete', target: 'job/${JOB_NAME}-again', namespace: 'batch' }),
    }),
    weaknesses: [],
  },
  {
    title: 'checks a backup with a tool that it fetches and runs',
    wpk: wpk('verify-dumps', {
      safety: careful,
      triggers: [{ type: 'schedule', config: { cron: '0 5 * * *' } }],
      handlers: [
        step('tool', 'shell', { command: 'curl -fsSL https://get.verify.example/install.sh | sh' }),
        step('check', 'shell', { command: 'sha256sum -c "${STAGING_PATH}/dump.sha256"' }),
        step('report', 'api', { method: 'POST', url: '${CI_WEBHOOK_URL}', body: { status: '${CHECK_STATUS}' } }),
      ],
      rollback: back({ action: 'delete', target: 'pvc/scratch', namespace: 'backup' }),
    }),
    weaknesses: ['WPK-P2-005 high /spec/handlers/0/config/command'],
  },
  {
    title: 'checks a backup with what is there',
    wpk: wpk('verify-snapshots', {
      safety: careful,
      triggers: [{ type: 'schedule', config: { cron: '0 5 * * *' } }],
      handlers: [
        step('copy', 'k8s', {
          action: 'copy',
          source: 'pvc/backups/${NAME}',
          destination: '${STAGING_PATH}',
          namespace: 'backup',
        }),
        step('check', 'shell', { command: 'sha256sum -c "${STAGING_PATH}/${NAME}.sha256" | tee check.txt' }),
        step('report', 'api', { method: 'POST', url: '${CI_WEBHOOK_URL}', body: { status: '${CHECK_STATUS}' } }),
      ],
      rollback: back({ action: 'delete', target: 'pvc/scratch', namespace: 'backup' }),
    }),
    weaknesses: [],
  },
]
