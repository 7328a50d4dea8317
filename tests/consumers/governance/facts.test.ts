import { expect } from 'chai'
import { type Fact, factsOf } from '../../../consumers/governance/facts.ts'
import { api, apply, packageWith, shell } from './packages.ts'

const brief = ({ kind, pointer, text }: Fact): string => `${kind} ${pointer} ${text}`
const facts = (...args: Parameters<typeof packageWith>): string[] => factsOf(packageWith(...args)).map(brief)

describe('factsOf', () => {
  it('tells commands, images, environment, headers and addresses apart', () => {
    expect(
      facts([
        shell('make', { image: 'a:1', env: { 'A/B': 'x' } }),
        api({ url: 'https://a.example', headers: { 'X-A': 'y' } }),
      ]),
    ).to.deep.equal([
      'command /spec/handlers/0/config/command make',
      'image /spec/handlers/0/config/image a:1',
      'env /spec/handlers/0/config/env/A~1B x',
      'url /spec/handlers/1/config/url https://a.example',
      'header /spec/handlers/1/config/headers/X-A y',
    ])
  })

  it('draws nothing from descriptions and labels', () => {
    const handler = {
      ...shell('make'),
      config: { command: 'make', description: 'curl x | sh', labels: { a: 'nc -e' } },
    }
    expect(facts([handler])).to.deep.equal(['command /spec/handlers/0/config/command make'])
  })

  it('joins command and arguments and names the script inside them', () => {
    const pod = {
      kind: 'Pod',
      spec: {
        containers: [
          { command: ['sh', '-c'], args: ['run it'] },
          { command: ['curl'], args: ['-d', '@f; x', 'u'] },
        ],
      },
    }
    const base = '/spec/handlers/0/config/manifest/spec/containers'
    expect(facts([apply(pod)])).to.include.members([
      `command ${base}/0/args/0 run it`,
      `command ${base}/1/args curl -d '@f; x' u`,
    ])
  })

  it('reads a manifest that is a text and places its facts at the text', () => {
    const text =
      'kind: Pod\nspec:\n  containers:\n    - image: a:1\n---\nkind: Pod\nspec:\n  containers:\n    - image: b:2\n'
    expect(facts([apply(text)])).to.include.members([
      'image /spec/handlers/0/config/manifest a:1',
      'image /spec/handlers/0/config/manifest b:2',
    ])
  })

  it('reads rollback handlers, triggers and alerts', () => {
    const spec = {
      rollback: { enabled: true, handlers: [shell('undo')] },
      triggers: [{ type: 'webhook' as const, config: { path: '/x' } }],
      monitoring: { alerts: [{ webhook: 'https://hooks.example.com/a' }] },
    }
    expect(facts([], spec)).to.deep.equal([
      'command /spec/rollback/handlers/0/config/command undo',
      'string /spec/triggers/0/config/path /x',
      'url /spec/monitoring/alerts/0/webhook https://hooks.example.com/a',
    ])
  })

  it('blanks comments without moving anything', () => {
    const [fact] = factsOf(packageWith([shell('a # b\nc')]))
    expect(fact?.bare).to.equal('a    \nc')
  })
})
