import { createHash, randomUUID, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { AtomError, publishWPK } from '../../../sdk/typescript/index.ts'
import { packageNamed, temporaryFolder, writePackage } from '../support/package-file.ts'
import { openTarget, type Target } from '../support/target.ts'

describe('sdk/typescript publishWPK', () => {
  const folder = temporaryFolder()
  let target: Target
  before(async () => {
    target = await openTarget()
  })
  after(async () => {
    folder.remove()
    await target.close()
  })

  const own = () => ({ baseUrl: target.marketApi, signingKey: target.privateKeyPath })
  const signed = (path: string) => sign('sha256', readFileSync(path), readFileSync(target.privateKeyPath))

  it('publishes a JSON package, and the same bytes again under the same id', async () => {
    const name = `sdk-${randomUUID()}`
    const file = writePackage(folder.path, 'first.json', packageNamed(name))
    const first = await publishWPK(file, target.apiKey, own())
    expect(first).to.include({ name, version: '1.0.0' })
    expect(first.digest).to.equal(`sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`)
    expect((await publishWPK(file, target.apiKey, own())).id).to.equal(first.id)
  })

  it('publishes YAML byte for byte', async () => {
    const name = `sdk-${randomUUID()}`
    const file = writePackage(folder.path, 'package.YML', `# Prüfung\r\n${stringify(packageNamed(name))}`)
    const answer = await publishWPK(file, target.apiKey, own())
    expect(answer.name).to.equal(name)
    expect(answer.digest).to.equal(`sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`)
  })

  it('takes the detached signature beside the file', async () => {
    const file = writePackage(folder.path, 'detached.json', packageNamed(`sdk-${randomUUID()}`))
    writePackage(folder.path, 'detached.json.sig', `${signed(file).toString('base64')}\n`)
    const answer = await publishWPK(file, target.apiKey, { baseUrl: target.marketApi, signingKey: '/nowhere.pem' })
    expect(answer.id).to.be.a('string')
  })

  it('takes the Sigstore bundle beside the file', async () => {
    const file = writePackage(folder.path, 'bundled.json', packageNamed(`sdk-${randomUUID()}`))
    writePackage(folder.path, 'bundled.json.sigstore.json', bundleOf(readFileSync(file), signed(file), target.keyId))
    const answer = await publishWPK(file, target.apiKey, { baseUrl: target.marketApi })
    expect(answer.id).to.be.a('string')
  })

  it('takes the key from ATOM_SIGNING_KEY', async () => {
    const before = process.env.ATOM_SIGNING_KEY
    try {
      process.env.ATOM_SIGNING_KEY = target.privateKeyPath
      const file = writePackage(folder.path, 'from-env.json', packageNamed(`sdk-${randomUUID()}`))
      expect((await publishWPK(file, target.apiKey, { baseUrl: target.marketApi })).id).to.be.a('string')
    } finally {
      if (before === undefined) delete process.env.ATOM_SIGNING_KEY
      else process.env.ATOM_SIGNING_KEY = before
    }
  })

  it('says signature_invalid when the file changed after it was signed', async () => {
    const file = writePackage(folder.path, 'changed.json', packageNamed(`sdk-${randomUUID()}`))
    writePackage(folder.path, 'changed.json.sig', signed(file).toString('base64'))
    writePackage(folder.path, 'changed.json', packageNamed(`sdk-${randomUUID()}`))
    const error = await failureOf(publishWPK(file, target.apiKey, { baseUrl: target.marketApi }))
    expect(error).to.include({ status: 422, code: 'signature_invalid', attempts: 1 })
  })

  it('says signer_not_registered for a key of another organisation', async () => {
    const file = writePackage(folder.path, 'foreign.json', packageNamed(`sdk-${randomUUID()}`))
    const options = { baseUrl: target.marketApi, signingKey: target.otherPrivateKeyPath }
    const error = await failureOf(publishWPK(file, target.apiKey, options))
    expect(error).to.include({ status: 422, code: 'signer_not_registered' })
  })

  it('says where a package departs from the format', async () => {
    const wrong = { ...packageNamed('x'), kind: 'Workflow' }
    const file = writePackage(folder.path, 'wrong.json', wrong)
    const error = await failureOf(publishWPK(file, target.apiKey, own()))
    expect(error).to.include({ status: 400, code: 'wpk_malformed' })
    expect(error.errors.map(({ pointer }) => pointer)).to.include('/kind')
    expect(error.message).to.include('/kind')
  })

  it('says version_exists for other bytes under a published name and version', async () => {
    const wpk = packageNamed(`sdk-${randomUUID()}`)
    await publishWPK(writePackage(folder.path, 'v1.json', wpk), target.apiKey, own())
    const file = writePackage(folder.path, 'v1-again.json', JSON.stringify(wpk))
    expect(await failureOf(publishWPK(file, target.apiKey, own()))).to.include({ status: 409, code: 'version_exists' })
  })

  it('says name_taken for another organisation’s name', async () => {
    const wpk = packageNamed(`sdk-${randomUUID()}`)
    const file = writePackage(folder.path, 'taken.json', wpk)
    await publishWPK(file, target.apiKey, own())
    const theirs = writePackage(folder.path, 'taken-2.json', { ...wpk, note: 'theirs' })
    const options = { baseUrl: target.marketApi, signingKey: target.otherPrivateKeyPath }
    const error = await failureOf(publishWPK(theirs, target.otherApiKey, options))
    expect(error).to.include({ status: 403, code: 'name_taken' })
  })

  it('is refused with 401 under an unknown credential', async () => {
    const file = writePackage(folder.path, 'stranger.json', packageNamed(`sdk-${randomUUID()}`))
    expect((await failureOf(publishWPK(file, 'atom_unknown', own()))).status).to.equal(401)
  })

  it('names the file it cannot read', async () => {
    const error = await failureOf(publishWPK(join(folder.path, 'nowhere.json'), target.apiKey, own()))
    expect(error).to.include({ code: 'file_unreadable', status: 0, attempts: 0 })
    expect(error.message).to.include('nowhere.json')
  })
})

function bundleOf(bytes: Buffer, signature: Buffer, hint: string): unknown {
  const digest = createHash('sha256').update(bytes).digest('base64')
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      publicKey: { hint },
      tlogEntries: [],
      timestampVerificationData: { rfc3161Timestamps: [] },
    },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest },
      signature: signature.toString('base64'),
    },
  }
}

async function failureOf(call: Promise<unknown>): Promise<AtomError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof AtomError)) throw new Error(`expected an AtomError, got ${error}`)
  return error
}
