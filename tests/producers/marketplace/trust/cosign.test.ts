import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { bundleOf, signedEnvelope } from '../../../../producers/marketplace/record/envelope.ts'
import { VERDICT_TYPE, verdictStatement } from '../../../../producers/marketplace/record/statements.ts'
import { IN_TOTO } from '../../../../producers/marketplace/trust/pre-auth-encoding.ts'
import { readPublicKey } from '../../../../producers/marketplace/trust/public-key.ts'
import { publicTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import { type Signed, verifySignature } from '../../../../producers/marketplace/trust/verify-signature.ts'
import { findTool, tools } from '../../../deploy/charts.ts'
import { packageBytes } from '../../../support/packages.ts'
import { registryKey } from '../../../support/registry-key.ts'
import { hashOf } from '../../../support/signed-forms.ts'
import { skipAloud } from '../../../support/skip-aloud.ts'

const OLD = ['--use-signing-config=false', '--tlog-upload=false', '--new-bundle-format=false']
const KINDS = ['P-256', 'P-384', 'rsa'] as const

describe('producers/marketplace/trust: what the real cosign signs', function () {
  this.timeout(60_000)
  let folder = ''
  let cosign = ''
  const bytes = packageBytes({ name: 'signed-by-cosign' })
  const at = (name: string) => join(folder, name)
  const read = (name: string) => readFileSync(at(name), 'utf8')
  const options = () => ({
    cwd: folder,
    env: { ...process.env, HOME: folder, COSIGN_PASSWORD: '' },
    stdio: 'pipe' as const,
  })
  const run = (...args: string[]) => execFileSync(cosign, args, options())

  before(function () {
    cosign =
      findTool('cosign') ?? skipAloud(this, 'cosign', `no cosign on PATH or in ${tools}/bin; .ci/tools.sh installs it`)
    folder = mkdtempSync(join(tmpdir(), 'atom-test-cosign-'))
    writeFileSync(at('wpk.json'), bytes)
    writeFileSync(at('other.json'), `${bytes} `)
    writeFileSync(at('predicate.json'), '{"built":true}')
    run('signing-config', 'create', '--out', 'services.json')
    run('trusted-root', 'create', '--out', 'root.json')
    for (const kind of [...KINDS, 'ed25519'] as const) {
      const { privateKey } =
        kind === 'rsa'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : kind === 'ed25519'
            ? generateKeyPairSync('ed25519')
            : generateKeyPairSync('ec', { namedCurve: kind })
      writeFileSync(at(`${kind}.pem`), privateKey.export({ format: 'pem', type: 'pkcs8' }))
      run('import-key-pair', '--key', `${kind}.pem`, '--output-key-prefix', kind)
    }
  })
  after(() => folder && rmSync(folder, { recursive: true }))

  const offline = ['--signing-config', 'services.json', '--trusted-root', 'root.json']
  const sign = (kind: string, ...args: string[]) =>
    run('sign-blob', '--yes', '--key', `${kind}.key`, ...args, 'wpk.json')
  function judge(kind: string, signed: Signed, content = bytes) {
    const key = { ...readPublicKey(read(`${kind}.pub`)), validFrom: new Date(0), revokedAt: null }
    const signers = { keys: [key], identities: [], foreign: async () => [] }
    return verifySignature(content, signed, { signers, root: publicTrustRoot, receivedAt: new Date() }).then(
      ({ signer }) => (signer === key.keyId ? 'verified' : signer),
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    )
  }

  for (const kind of KINDS) {
    it(`verifies in the new form, ${kind}`, async () => {
      sign(kind, ...offline, '--bundle', 'new.json')
      const bundle = JSON.parse(read('new.json')) as object
      expect(await judge(kind, { bundle })).to.equal('verified')
      expect(await judge(kind, { bundle }, readFileSync(at('other.json')))).to.match(/^signature_invalid/)
    })

    it(`verifies in the old form: detached, with and without its key, and as a bundle, ${kind}`, async () => {
      sign(kind, ...OLD, '--output-signature', 'old.sig')
      const { keyId } = readPublicKey(read(`${kind}.pub`))
      expect(await judge(kind, { signature: read('old.sig') })).to.equal('verified')
      expect(await judge(kind, { signature: read('old.sig'), keyId })).to.equal('verified')
      expect(await judge(kind, { signature: read('old.sig') }, readFileSync(at('other.json')))).to.match(
        /^signature_invalid/,
      )
      sign(kind, ...OLD, '--bundle', 'old.json')
      expect(await judge(kind, { bundle: JSON.parse(read('old.json')) })).to.equal('verified')
    })

    it(`verifies as an attestation about the bytes, ${kind}`, async () => {
      const about = ['--predicate', 'predicate.json', '--type', 'https://example.com/built/v1']
      run('attest-blob', '--yes', '--key', `${kind}.key`, ...offline, ...about, '--bundle', 'attested.json', 'wpk.json')
      const bundle = JSON.parse(read('attested.json')) as object
      expect(await judge(kind, { bundle })).to.equal('verified')
      expect(await judge(kind, { bundle }, readFileSync(at('other.json')))).to.match(/^signature_invalid/)
    })
  }

  it('verifies in the old form with Ed25519, which its new form cannot make', async () => {
    sign('ed25519', ...OLD, '--output-signature', 'ed.sig')
    expect(await judge('ed25519', { signature: read('ed.sig') })).to.equal('verified')
  })

  it('and cosign verifies what the marketplace signs, and not for other bytes', async () => {
    const key = registryKey()
    const [half] = await key.publicKeys()
    const verdict = null
    const digest = `sha256:${hashOf('sha256', bytes).toString('hex')}`
    const judged = { id: 'id', org: 'demo', name: 'signed-by-cosign', version: '1.0.0', digest, verdict }
    writeFileSync(
      at('verdict.json'),
      JSON.stringify(bundleOf(await signedEnvelope(key, IN_TOTO, verdictStatement(judged)))),
    )
    writeFileSync(at('registry.pub'), half?.pem ?? '')
    const verify = (artifact: string) => {
      const how = [
        '--key',
        'registry.pub',
        '--type',
        VERDICT_TYPE,
        '--trusted-root',
        'root.json',
        '--insecure-ignore-tlog',
      ]
      const { status, stderr } = spawnSync(
        cosign,
        ['verify-blob-attestation', ...how, '--bundle', 'verdict.json', artifact],
        options(),
      )
      return `${status} ${stderr}`
    }
    expect(verify('wpk.json')).to.match(/^0 .*Verified OK/s)
    expect(verify('other.json')).to.match(/^1 /)
  })
})
