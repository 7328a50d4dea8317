import { generateKeyPairSync, verify } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openFileKey } from '../../../platform/keys/file-key.ts'

describe('platform/keys: a key in files', () => {
  const home = mkdtempSync(join(tmpdir(), 'atom-test-keys-'))
  after(() => rmSync(home, { recursive: true }))
  const bytes = Buffer.from('what is signed')
  const pemOf = (namedCurve: string) =>
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'pem', type: 'pkcs8' })

  it('is made once, 0600, and signs what its public half verifies', async () => {
    const folder = join(home, 'first')
    const opened = await Promise.all([openFileKey(folder), openFileKey(folder), openFileKey(folder)])
    const halves = await Promise.all(opened.map((one) => one.publicKeys()))
    expect(new Set(halves.flat().map(({ keyId }) => keyId)).size, 'processes that start at once').to.equal(1)
    expect(readdirSync(folder)).to.deep.equal(['1.pem'])
    expect(statSync(join(folder, '1.pem')).mode & 0o777).to.equal(0o600)
    const { keyId, signature } = await (await openFileKey(folder)).sign(bytes)
    expect(keyId).to.equal(halves[0]?.[0]?.keyId)
    expect(verify('sha256', bytes, halves[0]?.[0]?.pem as string, signature)).to.equal(true)
  })

  it('signs with its newest version and keeps the former ones known', async () => {
    const folder = join(home, 'rotated')
    const [first] = await (await openFileKey(folder)).publicKeys()
    writeFileSync(join(folder, '10.pem'), pemOf('P-256'), { mode: 0o600 })
    writeFileSync(join(folder, '9.pem'), pemOf('P-256'), { mode: 0o600 })
    const key = await openFileKey(folder)
    const halves = await key.publicKeys()
    expect([halves.length, halves[0]?.keyId]).to.deep.equal([3, first?.keyId])
    expect((await key.sign(bytes)).keyId).to.equal(halves[2]?.keyId)
  })

  it('refuses a file that is open to others, and a key of another kind', async () => {
    const folder = join(home, 'open')
    await openFileKey(folder)
    for (const mode of [0o644, 0o604, 0o660, 0o666]) {
      chmodSync(join(folder, '1.pem'), mode)
      expect(await openFileKey(folder).catch((error: Error) => error.message)).to.contain('is open to others')
    }
    chmodSync(join(folder, '1.pem'), 0o440)
    await openFileKey(folder)
    const other = join(home, 'other')
    await openFileKey(other)
    writeFileSync(join(other, '2.pem'), pemOf('secp384r1'), { mode: 0o600 })
    expect(await openFileKey(other).catch((error: Error) => error.message)).to.contain('not an ECDSA P-256 key')
  })
})
