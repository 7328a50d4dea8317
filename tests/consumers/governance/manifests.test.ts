import { expect } from 'chai'
import { containersOf, manifestsOf } from '../../../consumers/governance/manifests.ts'
import { apply, packageWith } from './packages.ts'

const pod = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'a' }], initContainers: [{ name: 'b' }] } }

describe('the Kubernetes objects of a package', () => {
  it('are found one by one, also in lists, with their places', () => {
    const wpk = packageWith([apply({ apiVersion: 'v1', kind: 'List', items: [pod, { ...pod, kind: 'Job' }] })])
    expect(manifestsOf(wpk).map(({ kind, pointer }) => [kind, pointer])).to.deep.equal([
      ['Pod', '/spec/handlers/0/config/manifest/items/0'],
      ['Job', '/spec/handlers/0/config/manifest/items/1'],
    ])
  })

  it('are read from a text, and placed at it', () => {
    const wpk = packageWith([
      apply('apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a}]}\n---\napiVersion: v1\nkind: Secret\n'),
    ])
    const found = manifestsOf(wpk)
    expect(found.map(({ kind }) => kind)).to.deep.equal(['Pod', 'Secret'])
    expect(containersOf(found[0] as never)[0]?.pointer).to.equal('/spec/handlers/0/config/manifest')
  })

  it('show the containers of templates, deep ones too', () => {
    const cron = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      spec: { jobTemplate: { spec: { template: { spec: pod.spec } } } },
    }
    const [found] = manifestsOf(packageWith([apply(cron)]))
    expect(containersOf(found as never).map(({ pointer }) => pointer)).to.deep.equal([
      '/spec/handlers/0/config/manifest/spec/jobTemplate/spec/template/spec/containers/0',
      '/spec/handlers/0/config/manifest/spec/jobTemplate/spec/template/spec/initContainers/0',
    ])
  })
})
