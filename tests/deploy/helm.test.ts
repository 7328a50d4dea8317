import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { settingDefinitions } from '../../deploy/settings.ts'
import {
  chartNames,
  charts,
  expected,
  type Helm,
  type Manifest,
  one,
  openHelm,
  type PodSpec,
  required,
} from './charts.ts'

const read = (chart: string, path: string) => readFileSync(join(charts, chart, path), 'utf8')

describe('helm charts, their files', () => {
  it('are four', () => {
    expect(readdirSync(charts).sort()).to.deep.equal([...chartNames].sort())
  })

  for (const chart of chartNames) {
    describe(chart, () => {
      it('has the same templates as the others: what differs is in Chart.yaml and the values', () => {
        const templates = (of: string) =>
          Object.fromEntries(
            readdirSync(join(charts, of, 'templates')).map((name) => [name, read(of, `templates/${name}`)]),
          )
        expect(templates(chart)).to.deep.equal(templates('marketplace'))
      })

      it('carries the version of the product', () => {
        const { version } = JSON.parse(readFileSync(join(charts, '../../package.json'), 'utf8')) as { version: string }
        const meta = parse(read(chart, 'Chart.yaml')) as { name: string; appVersion: string }
        expect(meta).to.include({ name: chart, appVersion: version })
      })

      it('gives its services the ports they have everywhere', () => {
        const { ports } = parse(read(chart, 'values.yaml')) as { ports: Record<string, number> }
        const defaults = Object.entries(expected[chart]).map(([name, setting]) => [name, Number(setting.default)])
        expect(ports).to.deep.equal(Object.fromEntries(defaults))
      })

      it('lets only settings through that exist, are no secret, and are not the chart’s own', () => {
        const schema = JSON.parse(read(chart, 'values.schema.json')) as {
          properties: { settings: { properties: object; additionalProperties: boolean } }
        }
        const open = Object.values(settingDefinitions).filter(({ secret }) => !secret)
        const { settings } = schema.properties
        expect(open.map(({ env }) => env)).to.include.members(Object.keys(settings.properties))
        expect(settings.additionalProperties).to.equal(false)
        expect(settings.properties).not.to.have.any.keys('ATOM_HOME', 'ATOM_BIND', 'ATOM_DEMO', 'ATOM_PORT_PORTAL')
      })

      it('has a schema that is closed wherever it lists properties', () => {
        expect(openObjects(JSON.parse(read(chart, 'values.schema.json')))).to.deep.equal([])
      })
    })
  }
})

describe('helm charts, rendered by helm', function () {
  this.timeout(30_000)
  let helm: Helm
  before(function () {
    helm = openHelm(this)
  })
  const podOf = (manifests: Manifest[]): PodSpec =>
    (one(manifests, 'Deployment').spec as { template: { spec: PodSpec } }).template.spec

  for (const chart of chartNames) {
    describe(chart, () => {
      const [main = ''] = Object.keys(expected[chart])

      it('passes helm lint --strict', () => {
        const { status, stdout, stderr } = helm.run('lint', '--strict', join(charts, chart), ...required)
        expect(status, stdout + stderr).to.equal(0)
      })

      it('renders its six objects, and a ServiceMonitor when asked', () => {
        const kinds = ['ConfigMap', 'Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'ServiceAccount']
        expect(helm.render(chart).map(({ kind }) => kind)).to.have.members(kinds)
        const monitored = helm.render(chart, '--set', 'serviceMonitor.enabled=true')
        expect(monitored.map(({ kind }) => kind)).to.have.members([...kinds, 'ServiceMonitor'])
        const { endpoints } = one(monitored, 'ServiceMonitor').spec as { endpoints: { port: string; path: string }[] }
        expect(endpoints.map(({ port }) => port)).to.have.members(Object.keys(expected[chart]))
        expect(endpoints.every(({ path }) => path === '/metrics')).to.equal(true)
      })

      it('runs its services on the ports of its Service', () => {
        const manifests = helm.render(chart)
        const [container] = podOf(manifests).containers
        expect(container?.args).to.have.members(Object.keys(expected[chart]))
        const { ports } = one(manifests, 'Service').spec as {
          ports: { name: string; port: number; targetPort: string }[]
        }
        for (const { name, port, targetPort } of ports) {
          expect(targetPort).to.equal(name)
          expect(container?.ports).to.deep.include({ name, containerPort: port, protocol: 'TCP' })
        }
        const { data } = one(manifests, 'ConfigMap') as unknown as { data: Record<string, string> }
        for (const [name, setting] of Object.entries(expected[chart]))
          expect(data[setting.env], name).to.equal(setting.default)
        const known = [...Object.values(settingDefinitions).map(({ env }) => env), 'ORT_DISABLE_TELEMETRY']
        expect(known).to.include.members(Object.keys(data))
        expect(data.ATOM_DEMO).to.equal('off')
      })

      it('is not restarted because the database is away, and not sent requests either', () => {
        const [container] = podOf(helm.render(chart)).containers
        expect(container?.livenessProbe)
          .to.deep.include({ tcpSocket: { port: main } })
          .and.not.have.property('httpGet')
        expect(container?.startupProbe)
          .to.deep.include({ tcpSocket: { port: main } })
          .and.not.have.property('httpGet')
        expect(container?.readinessProbe.httpGet).to.deep.equal({ path: '/health', port: main })
      })

      it('runs without root, write access, capabilities, API token or service links', () => {
        const manifests = helm.render(chart)
        const pod = podOf(manifests)
        expect(pod).to.deep.include({
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 15,
        })
        expect(pod.securityContext).to.include({ runAsNonRoot: true, runAsUser: 10001 })
        for (const { securityContext, resources } of pod.containers) {
          expect(securityContext).to.deep.equal({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
          expect(resources.limits).to.have.property('memory')
          expect(resources.requests).to.have.keys('cpu', 'memory')
        }
        expect(one(manifests, 'ServiceAccount')).to.include({ automountServiceAccountToken: false })
      })

      it('takes the database address and its keys from Secrets, the keys read-only', () => {
        const pod = podOf(helm.render(chart))
        const [container] = pod.containers
        expect(container?.env).to.deep.equal([
          { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'atom-database', key: 'url' } } },
        ])
        const mounts = Object.fromEntries((container?.volumeMounts ?? []).map((mount) => [mount.mountPath, mount]))
        expect(mounts['/var/lib/atom/dev']).to.include({ name: 'issuer-key', readOnly: true })
        const volume = pod.volumes.find(({ name }) => name === 'issuer-key')
        expect(volume?.secret?.secretName).to.equal('atom-issuer')
        expect(volume?.secret?.items).to.deep.equal([{ key: 'issuer.json', path: 'issuer.json' }])
        const registry = pod.volumes.find(({ name }) => name === 'registry-key')?.secret?.secretName
        expect([mounts['/var/lib/atom/keys/marketplace']?.readOnly, registry]).to.deep.equal(
          chart === 'marketplace' ? [true, 'atom-registry'] : [undefined, undefined],
        )
        for (const path of ['/var/lib/atom', '/tmp'])
          expect(pod.volumes.find(({ name }) => name === mounts[path]?.name)).to.have.property('emptyDir')
      })

      it('mounts a trusted root of one’s own, and the authority of a key store, and names both to the service', () => {
        const manifests = helm.render(chart, '--set', 'trustedRootConfigMap=own-root,vaultCaConfigMap=vault-ca')
        const pod = podOf(manifests)
        const { data } = one(manifests, 'ConfigMap') as unknown as { data: Record<string, string> }
        for (const [name, config, file, setting] of [
          ['trusted-root', 'own-root', 'trusted_root.json', settingDefinitions.trustedRoot],
          ['vault-ca', 'vault-ca', 'ca.pem', settingDefinitions.vaultCaFile],
        ] as const) {
          expect(pod.volumes.find((one) => one.name === name)).to.deep.equal({
            name,
            configMap: { name: config, items: [{ key: file, path: file }] },
          })
          const mount = pod.containers[0]?.volumeMounts.find((one) => one.name === name)
          expect(mount?.readOnly).to.equal(true)
          expect(data[setting.env]).to.equal(`${mount?.mountPath}/${file}`)
        }
        const without = helm.render(chart)
        expect(JSON.stringify(without)).not.to.match(/trusted-root|vault-ca|ATOM_TRUSTED_ROOT|ATOM_VAULT/)
      })

      it('needs no Secret with a key where a key store keeps it', () => {
        const vault = [
          'registryKeySecret=',
          'settings.ATOM_VAULT_ADDR=https://vault:8200',
          'settings.ATOM_VAULT_ROLE_ID=r',
        ]
        const manifests = helm.render(chart, '--set', vault.join(','))
        expect(JSON.stringify(manifests)).not.to.contain('registry-key')
        expect((one(manifests, 'ConfigMap') as unknown as { data: object }).data).to.include({
          ATOM_VAULT_ADDR: 'https://vault:8200',
          ATOM_VAULT_ROLE_ID: 'r',
        })
      })

      it('selects its own pods everywhere, with the standard labels', () => {
        const manifests = helm.render(chart)
        const selector = { 'app.kubernetes.io/name': chart, 'app.kubernetes.io/instance': 'atom' }
        for (const { kind, metadata } of manifests) {
          expect(metadata.labels, kind).to.include(selector)
          expect(metadata.labels, kind).to.include.keys('app.kubernetes.io/version', 'helm.sh/chart')
        }
        expect(one(manifests, 'Service').spec.selector).to.deep.equal(selector)
        expect(one(manifests, 'Deployment').spec.selector).to.deep.equal({ matchLabels: selector })
        expect(one(manifests, 'PodDisruptionBudget').spec.selector).to.deep.equal({ matchLabels: selector })
        expect(one(manifests, 'NetworkPolicy').spec.podSelector).to.deep.equal({ matchLabels: selector })
      })

      it('lets in its namespace and out to names and the database, and nobody in when told so', () => {
        const rules = (...more: string[]) =>
          one(helm.render(chart, ...more), 'NetworkPolicy').spec as { ingress: unknown; egress: unknown }
        const ports = Object.keys(expected[chart])
          .sort()
          .map((port) => ({ port, protocol: 'TCP' }))
        expect(rules().ingress).to.deep.equal([{ from: [{ podSelector: {} }], ports }])
        expect(rules().egress).to.deep.equal([
          {
            ports: [
              { port: 53, protocol: 'UDP' },
              { port: 53, protocol: 'TCP' },
            ],
          },
          { ports: [{ port: 5432, protocol: 'TCP' }] },
        ])
        expect(rules('--set', 'networkPolicy.from=null').ingress).to.deep.equal([])
      })

      it('lets out to brokers and payment providers, and reads secret settings, when told so', () => {
        const more = ['networkPolicy.egress[0].ports[0].port=9092', 'settingsSecret=atom-settings']
        const manifests = helm.render(chart, '--set', [...more, 'settings.KAFKA_BROKERS=kafka:9092'].join(','))
        const { egress } = one(manifests, 'NetworkPolicy').spec as { egress: unknown[] }
        expect(egress[2]).to.deep.equal({ ports: [{ port: 9092 }] })
        const [container] = podOf(manifests).containers
        expect(container?.envFrom?.[1]).to.deep.equal({ secretRef: { name: 'atom-settings' } })
        expect((one(manifests, 'ConfigMap') as unknown as { data: object }).data).to.include({
          KAFKA_BROKERS: 'kafka:9092',
        })
      })

      for (const [wrong, reason] of [
        ['replicaCuont=3', 'replicaCuont'],
        ['image.tagg=5', 'tagg'],
        ['image.tag=latest', 'tag'],
        ['settings.ATOM_LOGLEVEL=debug', 'ATOM_LOGLEVEL'],
        ['settings.ATOM_DEMO=seed', 'ATOM_DEMO'],
        ['settings.ATOM_VAULT_ADDR=http://vault:8200', 'ATOM_VAULT_ADDR'],
        ['settings.ATOM_VAULT_TOKEN=secret', 'ATOM_VAULT_TOKEN'],
        ['ports.markteplace=8050', 'markteplace'],
        ['resources.limits.memory=512', 'memory'],
      ] as const)
        it(`refuses ${wrong}`, () => {
          const { status, stderr } = helm.template(chart, '--set', wrong)
          expect(status).not.to.equal(0)
          expect(stderr)
            .to.match(/schema/)
            .and.to.include(reason)
        })

      it('needs no key of the built-in issuer where an OIDC issuer takes its place', () => {
        const oidc = 'issuerKeySecret=,settings.ATOM_OIDC_ISSUER=https://people.example'
        const pod = podOf(helm.render(chart, '--set', oidc))
        expect(pod.volumes.map(({ name }) => name)).to.not.include('issuer-key')
        expect(pod.containers[0]?.volumeMounts?.map(({ name }) => name)).to.not.include('issuer-key')
        const both = helm.template(chart, '--set', `${oidc},settings.ATOM_DEV_ISSUER=on`)
        expect(both.stderr).to.include('issuerKeySecret')
      })

      it('refuses to render without its Secrets', () => {
        const own = chart === 'marketplace' ? ['registryKeySecret'] : []
        for (const missing of ['database.existingSecret', 'issuerKeySecret', ...own]) {
          const { status, stderr } = helm.template(chart, '--set', `${missing}=`)
          expect(status, missing).not.to.equal(0)
          expect(stderr).to.include(missing)
        }
      })
    })
  }

  it('puts the digest before the tag', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const [container] = podOf(helm.render('billing', '--set', `image.digest=${digest},image.tag=v9`)).containers
    expect(container?.image).to.equal(`atom-marketplace@${digest}`)
  })

  it('runs the portal without the data service when its port is null', () => {
    const manifests = helm.render('admin-portal', '--set', 'ports.data=null')
    expect(podOf(manifests).containers[0]?.args).to.deep.equal(['portal'])
    expect(JSON.stringify(manifests)).not.to.include('8090')
  })
})

/** Paths of the objects in a schema that name their properties and yet allow others. */
function openObjects(schema: unknown, path = ''): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const open = 'properties' in schema && !('additionalProperties' in schema && schema.additionalProperties === false)
  const inside = Object.entries(schema).flatMap(([key, value]) => openObjects(value, `${path}/${key}`))
  return open ? [path, ...inside] : inside
}
