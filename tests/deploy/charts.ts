import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { parseAllDocuments } from 'yaml'
import { settingDefinitions } from '../../deploy/settings.ts'
import { skipAloud } from '../support/skip-aloud.ts'

export const charts = fileURLToPath(new URL('../../deploy/helm', import.meta.url))
export const tools = process.env.ATOM_TOOLS ?? join(homedir(), '.cache', 'atom', 'tools')
export const KUBERNETES = '1.37.0'
/** The services each chart runs, with the setting that holds their port; the first answers the probes. */
export const expected = {
  marketplace: { marketplace: settingDefinitions.portMarketplace },
  billing: { billing: settingDefinitions.portBilling },
  'governance-ai': { governance: settingDefinitions.portGovernance },
  'admin-portal': { portal: settingDefinitions.portPortal, data: settingDefinitions.portData },
}
export const chartNames = Object.keys(expected) as (keyof typeof expected)[]
export const required = [
  'database.existingSecret=atom-database',
  'issuerKeySecret=atom-issuer',
  'registryKeySecret=atom-registry',
].flatMap((value) => ['--set', value])

export type Manifest = {
  kind: string
  metadata: { name: string; labels: Record<string, string> }
  spec: Record<string, unknown>
}
type Probe = { tcpSocket?: { port: string }; httpGet?: { path: string; port: string } }
export type Container = {
  name: string
  image: string
  args: string[]
  envFrom: object[]
  env: { name: string; valueFrom: { secretKeyRef: { name: string; key: string } } }[]
  ports: { name: string; containerPort: number }[]
  startupProbe: Probe
  livenessProbe: Probe
  readinessProbe: Probe
  resources: { requests: Record<string, string>; limits: Record<string, string> }
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
}
export type PodSpec = {
  automountServiceAccountToken: boolean
  enableServiceLinks: boolean
  terminationGracePeriodSeconds: number
  securityContext: Record<string, unknown>
  containers: Container[]
  volumes: {
    name: string
    emptyDir?: object
    configMap?: object
    secret?: { secretName: string; items: { key: string; path: string }[] }
  }[]
}

export type Helm = {
  run(...args: string[]): { status: number | null; stdout: string; stderr: string }
  /** `helm template` as it ends, with the values a chart cannot do without. */
  template(chart: string, ...more: string[]): { status: number | null; stdout: string; stderr: string }
  /** The manifests of a rendering that must succeed. */
  render(chart: string, ...more: string[]): Manifest[]
}

/** The real helm. Without it the tests of `context` are skipped aloud, or fail where ATOM_REQUIRE names helm. */
export function openHelm(context: Mocha.Context): Helm {
  const helm = findTool('helm') ?? skipAloud(context, 'helm', `no helm on PATH or in ${tools}/bin`)
  const run = (...args: string[]) => spawnSync(helm, args, { encoding: 'utf8' })
  const template = (chart: string, ...more: string[]) =>
    run('template', 'atom', join(charts, chart), '--kube-version', KUBERNETES, ...required, ...more)
  return {
    run,
    template,
    render(chart, ...more) {
      const { status, stdout, stderr } = template(chart, ...more)
      expect(status, stderr).to.equal(0)
      return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)
    },
  }
}

/** The only manifest of a kind. */
export function one(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind)
  expect(found, kind).to.have.length(1)
  return found[0] as Manifest
}

export function findTool(tool: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), join(tools, 'bin')]
  return folders.map((folder) => join(folder, tool)).find((path) => existsSync(path))
}
