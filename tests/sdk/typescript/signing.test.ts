import { createHash, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'chai'
import { readPublicKey } from '../../../producers/marketplace/trust/public-key.ts'
import { signedBy } from '../../../producers/marketplace/trust/signed-by.ts'
import { AtomError } from '../../../sdk/typescript/index.ts'
import { signatureFor } from '../../../sdk/typescript/signing.ts'
import { temporaryFolder, writePackage } from '../support/package-file.ts'

const bytes = Buffer.from([0x7b, 0x00, 0xff, 0x7d])

const pairs = {
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'RSA 2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync('ed25519'),
}

describe('sdk/typescript signatures', () => {
  const folder = temporaryFolder()
  after(() => folder.remove())

  const keyFile = (name: string, key: KeyObject) =>
    writePackage(folder.path, name, key.export({ type: 'pkcs8', format: 'pem' }).toString())

  for (const [name, generate] of Object.entries(pairs)) {
    it(`signs the exact bytes with a key of type ${name} and names the key as cosign does`, async () => {
      const { privateKey, publicKey } = generate()
      const made = await signatureFor(join(folder.path, 'absent.json'), bytes, keyFile('key.pem', privateKey))
      if (!('signature' in made)) throw new Error('expected a detached signature')
      expect(
        verify(name === 'Ed25519' ? null : 'sha256', bytes, publicKey, Buffer.from(made.signature, 'base64')),
      ).to.equal(true)
      const registered = readPublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString())
      expect(signedBy(registered, bytes, Buffer.from(made.signature, 'base64')), 'as the registry does').to.equal(true)
      const spki = publicKey.export({ type: 'spki', format: 'der' })
      expect(made.key_id).to.equal(createHash('sha256').update(spki).digest('base64'))
    })
  }

  it('prefers the bundle, then the detached signature, then the key', async () => {
    const key = keyFile('order.pem', pairs['ECDSA P-256']().privateKey)
    const file = join(folder.path, 'order.json')
    expect(await signatureFor(file, bytes, key)).to.have.property('key_id')
    writePackage(folder.path, 'order.json.sig', 'TUVVQ0lR\nQQ==\n')
    expect(await signatureFor(file, bytes, key)).to.deep.equal({ signature: 'TUVVQ0lRQQ==' })
    writePackage(folder.path, 'order.json.sigstore.json', { mediaType: 'a bundle' })
    expect(await signatureFor(file, bytes, key)).to.deep.equal({ bundle: { mediaType: 'a bundle' } })
  })

  it('names the three ways when there is none', async () => {
    const file = join(folder.path, 'unsigned.yaml')
    const error = await failureOf(signatureFor(file, bytes, undefined))
    expect(error.code).to.equal('signature_missing')
    expect(error.message).to.include(`${file}.sigstore.json`).and.include(`${file}.sig`).and.include('ATOM_SIGNING_KEY')
  })

  it('refuses a bundle that is not JSON and a signature that is not base64', async () => {
    writePackage(folder.path, 'bad.json.sig', '0E\x02!\xff')
    const file = join(folder.path, 'bad.json')
    expect((await failureOf(signatureFor(file, bytes, undefined))).code).to.equal('signature_malformed')
    writePackage(folder.path, 'bad.json.sigstore.json', 'not json')
    expect((await failureOf(signatureFor(file, bytes, undefined))).code).to.equal('bundle_malformed')
  })

  it('refuses keys that the marketplace could not verify, and says why', async () => {
    const file = join(folder.path, 'absent.json')
    const { privateKey } = pairs['ECDSA P-256']()
    const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    const unusable = {
      'type ed448': keyFile('ed.pem', generateKeyPairSync('ed448').privateKey),
      'type rsa-pss': keyFile('pss.pem', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey),
      unencrypted: writePackage(folder.path, 'encrypted.pem', encrypted.toString()),
      'PEM private key': writePackage(folder.path, 'junk.pem', 'junk'),
      'no such file': join(folder.path, 'nowhere.pem'),
    }
    for (const [why, path] of Object.entries(unusable)) {
      const error = await failureOf(signatureFor(file, bytes, path))
      expect(error.code).to.equal('signing_key_unusable')
      expect(error.message).to.include(why).and.include(path)
    }
  })
})

async function failureOf(call: Promise<unknown>): Promise<AtomError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof AtomError)) throw new Error(`expected an AtomError, got ${error}`)
  return error
}
