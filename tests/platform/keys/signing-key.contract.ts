import { spawnSync } from 'node:child_process'
import { verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { SigningKey } from '../../../platform/keys/signing-key.ts'
import { findTool, tools } from '../../deploy/charts.ts'
import { skipAloud } from '../../support/skip-aloud.ts'

/** A place a key is kept in, for one test at a time. */
export type KeyPlace = {
  open(): Promise<SigningKey>
  /** Adds a version, as an operator does; opened keys are opened again where that is what it takes. */
  rotate(): Promise<void>
}

/** What every place a key is kept in promises, be it a folder or a server. */
export function signingKeyContract(place: () => KeyPlace): void {
  const bytes = Buffer.from('what is signed')
  const verifies = (pem: string | undefined, content: Uint8Array, signature: Buffer) =>
    verify('sha256', content, pem as string, signature)

  it('signs what its public half verifies, and nothing else', async () => {
    const key = await place().open()
    const { keyId, signature } = await key.sign(bytes)
    const halves = await key.publicKeys()
    expect(halves.at(-1)?.keyId).to.equal(keyId)
    expect(verifies(halves.at(-1)?.pem, bytes, signature)).to.equal(true)
    expect(verifies(halves.at(-1)?.pem, Buffer.from('something else'), signature)).to.equal(false)
    const empty = await key.sign(Buffer.alloc(0))
    expect(verifies(halves.at(-1)?.pem, Buffer.alloc(0), empty.signature)).to.equal(true)
    const large = Buffer.alloc(300_000, 7)
    expect(verifies(halves.at(-1)?.pem, large, (await key.sign(large)).signature)).to.equal(true)
  })

  it('signs what cosign verifies, and not for other bytes', async function () {
    const cosign =
      findTool('cosign') ?? skipAloud(this, 'cosign', `no cosign on PATH or in ${tools}/bin; .ci/tools.sh installs it`)
    const folder = mkdtempSync(join(tmpdir(), 'atom-test-cosign-'))
    try {
      const key = await place().open()
      const { signature } = await key.sign(bytes)
      writeFileSync(join(folder, 'key.pub'), (await key.publicKeys()).at(-1)?.pem ?? '')
      writeFileSync(join(folder, 'sig'), signature.toString('base64'))
      writeFileSync(join(folder, 'content'), bytes)
      writeFileSync(join(folder, 'other'), `${bytes}.`)
      const how = ['--key', 'key.pub', '--signature', 'sig', '--insecure-ignore-tlog', '--new-bundle-format=false']
      const env = { ...process.env, HOME: folder }
      const verifying = (file: string) => spawnSync(cosign, ['verify-blob', ...how, file], { cwd: folder, env }).status
      expect([verifying('content'), verifying('other')]).to.deep.equal([0, 1])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('signs many at once', async () => {
    const key = await place().open()
    const contents = Array.from({ length: 20 }, (_, n) => Buffer.from(`number ${n}`))
    const made = await Promise.all(contents.map((one) => key.sign(one)))
    const [half] = await key.publicKeys()
    expect(made.map(({ signature }, n) => verifies(half?.pem, contents[n] as Buffer, signature))).not.to.include(false)
  })

  it('signs with its newest version once it is rotated, names it, and keeps the former one known', async () => {
    const before = await place().open()
    const first = await before.sign(bytes)
    await place().rotate()
    const key = await place().open()
    const second = await key.sign(bytes)
    expect(second.keyId).not.to.equal(first.keyId)
    const halves = await key.publicKeys()
    expect(halves.map(({ keyId }) => keyId)).to.deep.equal([first.keyId, second.keyId])
    expect(verifies(halves[0]?.pem, bytes, first.signature)).to.equal(true)
    expect(verifies(halves[1]?.pem, bytes, second.signature)).to.equal(true)
    expect(verifies(halves[1]?.pem, bytes, first.signature)).to.equal(false)
  })
}
