import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileKey } from '../../../platform/keys/file-key.ts'
import { signingKeyContract } from './signing-key.contract.ts'

describe('platform/keys: a key in files, as any key', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'atom-test-file-key-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  signingKeyContract(() => ({
    open: () => openFileKey(folder),
    async rotate() {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const pem = privateKey.export({ format: 'pem', type: 'pkcs8' })
      writeFileSync(join(folder, `${readdirSync(folder).length + 1}.pem`), pem, { mode: 0o600 })
    },
  }))
})
