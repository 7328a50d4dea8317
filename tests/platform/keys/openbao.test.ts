import { findTool, tools } from '../../deploy/charts.ts'
import { type OpenBao, startOpenBao } from '../../support/openbao.ts'
import { skipAloud } from '../../support/skip-aloud.ts'
import { type VaultServer, vaultContract } from './vault.contract.ts'

describe('platform/keys: a key in a real OpenBao', function () {
  this.timeout(30_000)
  let bao: OpenBao | undefined
  let server: VaultServer
  before(async function () {
    const binary =
      findTool('bao') ?? skipAloud(this, 'openbao', `no bao on PATH or in ${tools}/bin; .ci/tools.sh installs it`)
    bao = await startOpenBao(binary)
  })
  beforeEach(async () => {
    if (bao) server = await bao.fresh()
  })
  after(() => bao?.stop())
  vaultContract(() => server)
})
