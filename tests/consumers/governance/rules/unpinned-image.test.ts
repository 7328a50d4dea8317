// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references belong to the packages
import { expect } from 'chai'
import { unpinnedImage } from '../../../../consumers/governance/rules/unpinned-image.ts'
import { apply, findings, packageWith, shell } from '../packages.ts'
import { handlers, pod, ruleCases } from './cases.ts'

const judged = (image: string) =>
  findings(unpinnedImage, packageWith([shell('make', { image })])).map(({ severity }) => severity)

describe('WPK-P2-003 image not pinned', () => {
  it('calls latest and no tag medium', () => {
    expect(judged('nginx:latest')).to.deep.equal(['medium'])
    expect(judged('registry.example.net:5000/team/nginx')).to.deep.equal(['medium'])
  })

  it('calls another tag low', () => {
    expect(judged('nginx:1.27.3')).to.deep.equal(['low'])
  })

  it('names the place inside a manifest', () => {
    const deployment = { kind: 'Deployment', spec: { template: { spec: { containers: [{ image: 'redis:7' }] } } } }
    const [found] = findings(unpinnedImage, packageWith([apply(deployment)]))
    expect(found?.pointer).to.equal('/spec/handlers/0/config/manifest/spec/template/spec/containers/0/image')
  })

  it('is silent on a digest, with or without a tag', () => {
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
    expect(judged(`alpine@${digest}`)).to.deep.equal([])
    expect(judged(`alpine:3.20@${digest}`)).to.deep.equal([])
  })

  it('is silent on an image that is only named at run time', () => {
    expect(judged('${IMAGE}')).to.deep.equal([])
    expect(judged('$(params.image)')).to.deep.equal([])
    expect(judged('registry.example.net/app:{{ version }}')).to.deep.equal([])
  })
})

ruleCases(unpinnedImage, {
  finds: [
    pod({}, { image: 'registry.example.net/shop/web' }),
    handlers(shell('make', { image: 'docker.io/library/node:22-bookworm' })),
    handlers(
      apply({
        kind: 'CronJob',
        spec: { jobTemplate: { spec: { template: { spec: { containers: [{ image: 'busybox:latest' }] } } } } },
      }),
    ),
  ],
  leaves: [
    pod({}, { image: `registry.example.net/shop/web@sha256:${'5a'.repeat(32)}` }),
    handlers(shell('make', { image: '${BUILD_IMAGE}' })),
    handlers(apply({ kind: 'ConfigMap', data: { image: 'busybox:latest' } })),
  ],
})
