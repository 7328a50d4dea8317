import type { WpkHandler, WpkTrigger } from '../../../schemas/wpk.ts'
import type { Random } from './random.ts'

/** What one side of a pair adds to a package. */
export type Fragment = { handlers?: WpkHandler[]; triggers?: WpkTrigger[]; auto?: boolean }

/** A family makes pairs: the same thing done in a risky and in a sound way. All addresses are reserved for documentation. */
export type Family = { name: string; pair: (random: Random) => { risky: Fragment; benign: Fragment } }

export const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export const shell = (command: string, more: Record<string, unknown> = {}): WpkHandler => ({
  name: 'step',
  type: 'shell',
  config: { command, ...more },
  timeout: '300s',
  retry: { max_attempts: 1, backoff: '10s' },
})
export const manifest = (value: unknown): WpkHandler => ({
  name: 'apply',
  type: 'k8s',
  config: { action: 'apply', manifest: value },
  timeout: '120s',
  retry: { max_attempts: 2, backoff: '10s' },
})
export const api = (config: Record<string, unknown>): WpkHandler => ({
  name: 'call',
  type: 'api',
  config: { method: 'POST', ...config },
  timeout: '30s',
  retry: { max_attempts: 3, backoff: '5s' },
})
export const action = (uses: string, more: Record<string, unknown> = {}): WpkHandler => ({
  name: 'action',
  type: 'shell',
  config: { uses, runner: 'ubuntu-latest', ...more },
  timeout: '600s',
  retry: { max_attempts: 1, backoff: '10s' },
})
export const pod = (spec: Record<string, unknown>, container: Record<string, unknown> = {}): WpkHandler =>
  manifest({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'worker' },
    spec: { ...spec, containers: [{ name: 'worker', image: 'registry.example.net/worker:1.4', ...container }] },
  })
export const role = (rules: unknown): WpkHandler =>
  manifest({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'operator', namespace: 'shop' },
    rules,
  })

export const pairOf = (risky: WpkHandler, benign: WpkHandler) => ({
  risky: { handlers: [risky] },
  benign: { handlers: [benign] },
})
export const python = (risky: string, benign: string) =>
  pairOf(shell(risky, { interpreter: 'python3' }), shell(benign, { interpreter: 'python3' }))
export const node = (risky: string, benign: string) =>
  pairOf(shell(risky, { interpreter: 'node' }), shell(benign, { interpreter: 'node' }))
export const outside = (random: Random): string =>
  random.pick([
    'collect.example.net',
    'drop.example.org',
    'files.example.com',
    'sync.example.net',
    '203.0.113.17',
    '198.51.100.9',
  ])
export const shellPair = (
  name: string,
  choices: (random: Random) => readonly (readonly [string, string])[],
): Family => ({
  name,
  pair: (random) => {
    const [risky, benign] = random.pick(choices(random))
    return pairOf(shell(risky), shell(benign))
  },
})
