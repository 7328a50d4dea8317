import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { AppError } from '../../../platform/errors.ts'
import { type KeySettings, type OpenKey, openKey } from '../../../platform/keys/open-key.ts'
import { testClock } from '../../support/clock.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { signingKeyContract } from './signing-key.contract.ts'

/** A server that speaks the API of Vault, with a transit engine and a key in it, and an AppRole login. */
export type VaultServer = {
  address: string
  mount: string
  key: string
  rotate(): Promise<void>
  seal(): Promise<void>
  unseal(): Promise<void>
  /** A token that may use the key, or may nothing; 0 seconds: without an end. */
  token(ttlSeconds?: number, policy?: 'signer' | 'none'): Promise<string>
  revoke(token: string): Promise<void>
  /** Ends every token that a login gave. */
  forgetLogins(): Promise<void>
  approle(
    ttlSeconds?: number,
    maxSeconds?: number,
    policy?: 'signer' | 'none',
  ): Promise<{ roleId: string; secretId: string }>
}

export const noVault: KeySettings = {
  vaultAddr: undefined,
  vaultNamespace: undefined,
  vaultCaFile: undefined,
  vaultToken: undefined,
  vaultTokenFile: undefined,
  vaultRoleId: undefined,
  vaultSecretId: undefined,
  vaultSecretIdFile: undefined,
  vaultTransitMount: 'transit',
  vaultKey: 'atom-marketplace',
}
export const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'ok',
    (error: AppError) => error.code ?? error.message,
  )

/** What the marketplace relies on of Vault and OpenBao; a real server and the fake one both have to pass. */
export function vaultContract(server: () => VaultServer): void {
  const folder = mkdtempSync(join(tmpdir(), 'atom-test-vault-'))
  const opened: OpenKey[] = []
  const bytes = Buffer.from('what is signed')
  after(() => rmSync(folder, { recursive: true }))
  afterEach(() => {
    for (const one of opened.splice(0)) one.close()
  })

  async function open(change: Partial<KeySettings>): Promise<OpenKey> {
    const { address: vaultAddr, mount: vaultTransitMount, key: vaultKey } = server()
    const settings = { ...noVault, vaultAddr, vaultTransitMount, vaultKey, ...change }
    const { log } = recordingLog()
    const one = await openKey(folder, settings, { now: testClock('2026-11-02T10:00:00Z'), log, callTimeoutMs: 1_500 })
    opened.push(one)
    return one
  }
  const withToken = async () => open({ vaultToken: await server().token() })

  signingKeyContract(() => ({
    open: async () => (await withToken()).key,
    rotate: () => server().rotate(),
  }))

  it('shows a rotation in what it signs at once, without being opened again', async () => {
    const { key } = await withToken()
    const first = await key.sign(bytes)
    await server().rotate()
    const second = await key.sign(bytes)
    expect(second.keyId).not.to.equal(first.keyId)
    expect((await key.publicKeys()).map(({ keyId }) => keyId).slice(-2)).to.deep.equal([first.keyId, second.keyId])
  })

  it('says that the store is sealed, keeps its public keys, and signs again once it is open', async () => {
    const { key, check } = await withToken()
    const halves = await key.publicKeys()
    await server().seal()
    try {
      expect([await codeOf(key.sign(bytes)), await codeOf(check())]).to.deep.equal(Array(2).fill('key_store_sealed'))
      expect(await key.publicKeys()).to.deep.equal(halves)
    } finally {
      await server().unseal()
    }
    expect(await codeOf(key.sign(bytes))).to.equal('ok')
  })

  it('can be opened while the store is sealed', async () => {
    const login = await server().approle()
    await server().seal()
    try {
      const { key } = await open({ vaultRoleId: login.roleId, vaultSecretId: login.secretId })
      expect(await codeOf(key.sign(bytes))).to.equal('key_store_sealed')
      await server().unseal()
      expect(await codeOf(key.sign(bytes))).to.equal('ok')
    } finally {
      await server().unseal()
    }
  })

  it('says that a token is refused: unknown, revoked, or not allowed to use the key', async () => {
    const unknown = await open({ vaultToken: 's.nobody-made-this' })
    expect(await codeOf(unknown.key.sign(bytes))).to.equal('key_store_denied')
    const token = await server().token()
    const revoked = await open({ vaultToken: token })
    expect(await codeOf(revoked.key.sign(bytes))).to.equal('ok')
    await server().revoke(token)
    expect(await codeOf(revoked.key.sign(bytes))).to.equal('key_store_denied')
    const other = await open({ vaultToken: await server().token(0, 'none') })
    const refused = await other.key.sign(bytes).catch((error: Error) => error)
    expect((refused as AppError).code).to.equal('key_store_denied')
    expect((refused as AppError).message).not.to.contain('s.')
  })

  it('reads a token from its file again when the one it has is refused', async () => {
    const file = join(folder, 'token')
    const first = await server().token()
    writeFileSync(file, `${first}\n`)
    chmodSync(file, 0o600)
    const { key } = await open({ vaultTokenFile: file })
    expect(await codeOf(key.sign(bytes))).to.equal('ok')
    await server().revoke(first)
    expect(await codeOf(key.sign(bytes))).to.equal('key_store_denied')
    writeFileSync(file, await server().token())
    expect(await codeOf(key.sign(bytes))).to.equal('ok')
    rmSync(file)
    expect(await codeOf(key.sign(bytes)), 'as long as the token counts').to.equal('ok')
  })

  it('logs in with a role, and again when its token is gone', async () => {
    const { roleId, secretId } = await server().approle()
    const { key } = await open({ vaultRoleId: roleId, vaultSecretId: secretId })
    expect(await codeOf(key.sign(bytes))).to.equal('ok')
    await server().forgetLogins()
    expect(await codeOf(key.sign(bytes))).to.equal('ok')
    const wrong = await open({ vaultRoleId: roleId, vaultSecretId: '00000000-0000-0000-0000-000000000000' })
    expect(await codeOf(wrong.key.sign(bytes))).to.equal('key_store_denied')
  })

  it('says that the key, or what keeps it, is not there', async () => {
    const vaultToken = await server().token()
    const noKey = await open({ vaultToken, vaultKey: 'nothing-here' })
    const noMount = await open({ vaultToken, vaultTransitMount: 'elsewhere' })
    for (const { key, check } of [noKey, noMount])
      for (const ask of [() => key.sign(bytes), key.publicKeys, check])
        expect(await codeOf(ask())).to.equal('key_missing')
    const said = await noMount.key.sign(bytes).catch((error: Error) => error.message)
    expect(said).to.contain('nothing is mounted at elsewhere')
  })
}
