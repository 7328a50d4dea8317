import { type FakeVault, openFakeVault } from '../../support/fake-vault.ts'
import { vaultContract } from './vault.contract.ts'

describe('platform/keys: a key in Vault, against a server that stands in for it', () => {
  let server: FakeVault
  beforeEach(async () => {
    server = await openFakeVault()
  })
  afterEach(() => server.close())
  vaultContract(() => server)
})
