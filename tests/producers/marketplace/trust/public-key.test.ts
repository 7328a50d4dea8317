import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { expect } from 'chai'
import { readPublicKey } from '../../../../producers/marketplace/trust/public-key.ts'
import { strictBase64 } from '../../../../producers/marketplace/trust/strict-base64.ts'

const pem = (key: KeyObject, type: 'spki' | 'pkcs8' = 'spki') =>
  key.export({ format: 'pem', type } as { format: 'pem'; type: 'spki' }).toString()
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })

describe('producers/marketplace/trust: public keys', () => {
  it('names a key by the hash of its DER, as cosign does', () => {
    const key = readPublicKey(pem(p256.publicKey))
    expect(key.keyId).to.equal(
      createHash('sha256')
        .update(p256.publicKey.export({ format: 'der', type: 'spki' }))
        .digest('base64'),
    )
    expect(key.algorithm).to.equal('ecdsa-p256')
  })

  it('gives one key one name however its PEM is spelled', () => {
    const text = pem(p256.publicKey)
    const { keyId } = readPublicKey(text)
    for (const other of [text.replaceAll('\n', '\r\n'), `\n\n${text}\n`])
      expect(readPublicKey(other)).to.include({ keyId, pem: text })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
    const pkcs1 = rsa.export({ format: 'pem', type: 'pkcs1' }).toString()
    expect(readPublicKey(pkcs1)).to.deep.equal(readPublicKey(pem(rsa)))
  })

  it('takes P-384 and Ed25519', () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey
    expect(readPublicKey(pem(p384)).algorithm).to.equal('ecdsa-p384')
    expect(readPublicKey(pem(generateKeyPairSync('ed25519').publicKey)).algorithm).to.equal('ed25519')
  })

  const refused: [string, () => string][] = [
    ['a private key', () => pem(p256.privateKey, 'pkcs8')],
    ['an RSA key of 1024 bits', () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)],
    ['another curve', () => pem(generateKeyPairSync('ec', { namedCurve: 'secp521r1' }).publicKey)],
    ['Ed448', () => pem(generateKeyPairSync('ed448').publicKey)],
    ['a certificate', () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['junk in the PEM', () => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'],
    ['nothing', () => ''],
  ]
  for (const [what, make] of refused)
    it(`refuses ${what}`, () => {
      expect(() => readPublicKey(make()))
        .to.throw()
        .with.property('code', 'key_malformed')
    })
})

describe('producers/marketplace/trust: base64', () => {
  it('reads what is spelled in exactly one way', () => {
    expect(strictBase64('AAE=')?.toString('hex')).to.equal('0001')
    for (const text of ['', 'AAE', 'AAF=', 'AA E=', 'AAE=\n', 'AA*E', '-_-_', 'AAE==', 'A'])
      expect(strictBase64(text), text).to.equal(null)
  })
})
