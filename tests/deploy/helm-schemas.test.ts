import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { skipAloud } from '../support/skip-aloud.ts'
import { chartNames, findTool, type Helm, KUBERNETES, openHelm, tools } from './charts.ts'

describe(`helm charts, against the schemas of Kubernetes ${KUBERNETES}`, function () {
  this.timeout(30_000)
  let helm: Helm
  let kubeconform = ''
  const schemas = join(tools, 'kubernetes-schemas')
  before(function () {
    helm = openHelm(this)
    kubeconform = findTool('kubeconform') ?? skipAloud(this, 'helm', `no kubeconform on PATH or in ${tools}/bin`)
    if (!existsSync(join(schemas, `v${KUBERNETES}-standalone-strict`)))
      skipAloud(this, 'helm', `no schemas in ${schemas}`)
  })
  const conform = (input: string) =>
    spawnSync(
      kubeconform,
      [
        '-strict',
        '-summary',
        '-skip',
        'ServiceMonitor',
        '-kubernetes-version',
        KUBERNETES,
        '-schema-location',
        schemas,
        '-',
      ],
      { input, encoding: 'utf8' },
    )

  for (const chart of chartNames)
    it(`${chart} is valid`, () => {
      const values = [
        ['image.pullSecrets={registry}', 'nodeSelector.disk=ssd', 'tolerations[0].operator=Exists'],
        ['serviceMonitor.enabled=true', 'networkPolicy.databaseTo[0].ipBlock.cidr=10.0.0.0/24'],
      ].map((list) => ['--set', list.join(',')])
      const { stdout } = helm.template(chart, ...values.flat())
      const { status, stdout: said, stderr } = conform(stdout)
      expect(status, said + stderr).to.equal(0)
      expect(said).to.include('Valid: 6, Invalid: 0, Errors: 0, Skipped: 1')
    })

  it('and a manifest with a misspelt field is not', () => {
    const { stdout } = helm.template('billing')
    const { status, stdout: said } = conform(stdout.replace('readinessProbe:', 'readynessProbe:'))
    expect(status).to.equal(1)
    expect(said).to.include('readynessProbe')
  })
})
