// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references belong to the packages
import { expect } from 'chai'
import { hardCodedSecret } from '../../../../consumers/governance/rules/hard-coded-secret.ts'
import { api, apply, findings, packageWith, shell } from '../packages.ts'
import { handlers, manifest, ruleCases } from './cases.ts'

// Put together here so that no scanner of the repository takes them for real ones.
const GITHUB = `gh${'p_'}16C7e42F292c6912E7710c838347Ae178B4a`
const RANDOM = '9f8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a'
const KEY = `-----BEGIN ${'PRIVATE'} KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7`

describe('WPK-P1-001 hard-coded secret', () => {
  const risky: [string, Parameters<typeof packageWith>[0], string][] = [
    [
      'a token in a header',
      [api({ url: 'https://api.example.com', headers: { 'X-Api-Key': RANDOM } })],
      '/spec/handlers/0/config/headers/X-Api-Key',
    ],
    [
      'an issued token in a command',
      [shell(`git clone https://x:${GITHUB}@github.com/a/b`)],
      '/spec/handlers/0/config/command',
    ],
    [
      'a secret in an environment entry',
      [shell('make', { env: [{ name: 'DB_PASSWORD', value: 'Xk29vLq8Rt5wPz1m' }] })],
      '/spec/handlers/0/config/env/0/value',
    ],
    [
      'a private key in a ConfigMap',
      [apply({ kind: 'ConfigMap', data: { 'a.key': KEY } })],
      '/spec/handlers/0/config/manifest/data/a.key',
    ],
    [
      'a value in a Secret manifest',
      [apply({ kind: 'Secret', data: { token: Buffer.from(RANDOM).toString('base64') } })],
      '/spec/handlers/0/config/manifest/data/token',
    ],
    ['an option on a command line', [shell(`deploy --api-token ${RANDOM}`)], '/spec/handlers/0/config/command'],
    [
      'a password in the URL of a distant database',
      [shell('migrate', { env: { DATABASE_URL: 'postgres://app:s3cretPass9@db.example.org/app' } })],
      '/spec/handlers/0/config/env/DATABASE_URL',
    ],
  ]
  for (const [title, handlers, pointer] of risky) {
    it(`finds ${title}`, () => {
      const found = findings(hardCodedSecret, packageWith(handlers))
      expect(found.map((violation) => violation.pointer)).to.deep.equal([pointer])
      expect(found[0]?.severity).to.equal('critical')
    })
  }

  const sound: [string, Parameters<typeof packageWith>[0]][] = [
    ['a variable', [api({ url: 'https://api.example.com', headers: { 'X-Vault-Token': '${VAULT_TOKEN}' } })]],
    ['an expression', [shell('make', { env: { API_TOKEN: '${{ secrets.API_TOKEN }}' } })]],
    ['a commit hash', [shell(`git checkout ${RANDOM}`, { uses: `actions/checkout@${RANDOM}` })]],
    ['an image digest', [shell('make', { image: `alpine@sha256:${'0123456789abcdef'.repeat(4)}` })]],
    ['a uuid', [shell('make', { env: { REQUEST_TOKEN: '123e4567-e89b-12d3-a456-426614174000' } })]],
    [
      'the login of a local database',
      [shell('migrate', { env: { DATABASE_URL: 'postgres://postgres:postgres@127.0.0.1/app' } })],
    ],
    ['a stand-in value', [shell('make', { env: { API_TOKEN: 'your-api-token-here-1234567890' } })]],
    [
      'the name of a secret',
      [apply({ kind: 'Pod', spec: { containers: [{ envFrom: [{ secretRef: { name: 'db-credentials-v2' } }] }] } })],
    ],
    ['a secret in a comment', [shell(`# token=${RANDOM}\nmake`)]],
  ]
  for (const [title, handlers] of sound) {
    it(`is silent on ${title}`, () => {
      expect(findings(hardCodedSecret, packageWith(handlers))).to.deep.equal([])
    })
  }

  it('never shows the secret', () => {
    const found = findings(hardCodedSecret, packageWith([shell(`deploy --api-token ${RANDOM}`), shell(`x ${GITHUB}`)]))
    expect(JSON.stringify(found)).not.to.contain(RANDOM.slice(6)).and.not.to.contain(GITHUB.slice(8))
  })

  it('looks at no description', () => {
    const wpk = packageWith([{ ...shell('make'), config: { command: 'make', description: `uses ${GITHUB}` } }])
    expect(findings(hardCodedSecret, { ...wpk, metadata: { ...wpk.metadata, description: GITHUB } })).to.deep.equal([])
  })

  it('is silent on a switch that says where the secret comes from', () => {
    const command = 'docker login --username me --password-stdin 123.dkr.ecr.eu-west-1.amazonaws.com'
    expect(findings(hardCodedSecret, packageWith([shell(command)]))).to.deep.equal([])
  })

  it('finds passwords in settings of a manifest, in queries and behind -p', () => {
    const files = apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      data: { 'app.properties': 'db.password=S3cr3tPw9zz\nx=1' },
    })
    const query = api({ url: 'https://a.example.org/x?api_key=u7Hq2Lw9Xz4Rk8Nt3Vb6Yc1Ms5Pd0Fg' })
    for (const one of [files, query, shell('mysql -u root -pS3cr3tPw9 -h db.example.org')])
      expect(findings(hardCodedSecret, packageWith([one])).length, JSON.stringify(one)).to.be.above(0)
  })
})

ruleCases(hardCodedSecret, {
  finds: [
    `export AWS_SECRET_ACCESS_KEY=${'wJalrXUtnFEMI/K7MDENG'}/bPxRfiCYzQ8mT4vLpK2s && aws s3 ls`,
    `curl -H "Authorization: Bearer ${RANDOM}" https://api.example.com/v1/me`,
    handlers(api({ url: 'https://api.example.com', body: { client_secret: RANDOM } })),
    manifest({
      kind: 'Deployment',
      spec: { template: { spec: { containers: [{ env: [{ name: 'API_KEY', value: RANDOM }] }] } } },
    }),
  ],
  leaves: [
    'export AWS_SECRET_ACCESS_KEY="$(vault kv get -field=secret kv/aws)" && aws s3 ls',
    'curl -H "Authorization: Bearer $API_TOKEN" https://api.example.com/v1/me',
    handlers(api({ url: 'https://api.example.com', body: { client_secret: '${CLIENT_SECRET}', commit: RANDOM } })),
    manifest({
      kind: 'Deployment',
      spec: {
        template: {
          spec: {
            containers: [{ env: [{ name: 'API_KEY', valueFrom: { secretKeyRef: { name: 'api', key: 'key' } } }] }],
          },
        },
      },
    }),
  ],
})
