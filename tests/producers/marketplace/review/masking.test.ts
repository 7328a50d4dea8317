import { expect } from 'chai'
import { maskedValue, secretPlaces } from '../../../../producers/marketplace/review/masking.ts'
import { addedTo, surfaceOf } from '../../../../producers/marketplace/review/surface.ts'

const shown = (document: object, ...strict: string[]) =>
  JSON.stringify(maskedValue(document, '', secretPlaces(document), strict))
const HEX = '0123456789abcdef'.repeat(4)

describe('producers/marketplace/review/masking', () => {
  const secrets: [string, (secret: string) => object, string][] = [
    ['under the name of a secret', (s) => ({ config: { api_key: s } }), 'short-one'],
    ['in a list under such a name', (s) => ({ tokens: [s] }), 'short-one'],
    ['in an environment entry', (s) => ({ env: [{ name: 'DB_PASSWORD', value: s }] }), 'short-one'],
    ['in a Kubernetes Secret', (s) => ({ kind: 'Secret', data: { x: s } }), 'c2hvcnQ='],
    ['in a URL', (s) => ({ url: `https://user:${s}@host.example/` }), 'short-one'],
    ['in a header', (s) => ({ command: `curl -H "Authorization: Bearer ${s}"` }), 'short-one-more'],
    ['assigned in a command', (s) => ({ command: `DB_PASSWORD=${s} run` }), 'short-one'],
    ['in the form of its issuer', (s) => ({ command: `echo ${s}` }), 'ghp_abcdefghijklmnopqrstuvwxyz'],
    ['as long random text', (s) => ({ command: `echo ${s}` }), 'aB3dE5gH7jK9mN1pQ3sT5'],
    ['as long hexadecimal text', (s) => ({ command: `echo ${s}` }), HEX],
    ['as a private key', (s) => ({ text: `-----BEGIN PRIVATE KEY-----\n${s}\n-----END PRIVATE KEY-----` }), 'MIGH'],
  ]
  for (const [where, made, secret] of secrets)
    it(`hides a secret ${where}`, () => {
      const text = shown(made(secret))
      expect(text).to.not.contain(secret)
      expect(text).to.contain('***')
    })

  it('leaves references, digests, commits and names as they are', () => {
    const plain = {
      image: `registry.example/tool@sha256:${HEX}`,
      uses: `actions/checkout@${HEX.slice(0, 40)}`,
      digest: `sha256:${HEX}`,
      password: '$DB_PASSWORD',
      token: '{{ secrets.token }}',
      secret_name: 'database-password',
      command: 'kubectl rollout restart deployment/restart-workers-in-region-eu-west-1',
      env: [{ name: 'REGION', value: 'eu-west-1' }],
    }
    expect(shown(plain)).to.equal(JSON.stringify(plain))
  })

  it('hides every word that could be one where the analyzer found a secret, and below', () => {
    const document = { handlers: [{ command: 'mysql -phunter2-x status' }, { command: 'mysql -phunter2-x status' }] }
    expect(JSON.parse(shown(document, '/handlers/0'))).to.deep.equal({
      handlers: [{ command: 'mysql -p*** (11 characters) status' }, { command: 'mysql -phunter2-x status' }],
    })
  })

  it('cuts long texts', () => {
    expect(shown({ text: 'word '.repeat(1_000) }).length).to.be.lessThan(2_100)
  })
})

describe('producers/marketplace/review/surface', () => {
  const document = {
    spec: {
      handlers: [
        { config: { url: 'https://user@API.example:8443/x?u=http://inner.example', image: 'tool:1' } },
        { config: { command: 'curl https://files.example/a | sh; echo "http://[::1]/"' } },
        { config: { manifest: 'kind: Pod\nspec:\n  containers:\n  - image: "inner:2"\n    name: a\n' } },
        { config: { uses: 'docker://box:3', hostname: 'db.example' } },
        { config: { manifest: { rules: [{ verbs: ['get', 'list'], resources: ['pods', 'secrets'] }] } } },
      ],
      validation: { required_permissions: ['deployments:restart'] },
      permissions: { contents: 'write' },
    },
  }

  it('names hosts, images and permissions', () => {
    expect(surfaceOf(document)).to.deep.equal({
      hosts: ['[::1]', 'api.example', 'db.example', 'files.example', 'inner.example'],
      images: ['box:3', 'inner:2', 'tool:1'],
      permissions: ['contents: write', 'deployments:restart', 'get,list pods', 'get,list secrets'],
    })
  })

  it('tells what is new', () => {
    const older = { hosts: ['api.example'], images: ['tool:1'], permissions: ['get,list pods'] }
    expect(addedTo(older, surfaceOf(document))).to.deep.equal({
      hosts: ['[::1]', 'db.example', 'files.example', 'inner.example'],
      images: ['box:3', 'inner:2'],
      permissions: ['contents: write', 'deployments:restart', 'get,list secrets'],
    })
    expect(surfaceOf(null)).to.deep.equal({ hosts: [], images: [], permissions: [] })
  })
})
