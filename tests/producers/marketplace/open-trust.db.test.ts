import { expect } from 'chai'
import { openActivity } from '../../../platform/activity.ts'
import { createLifecycle } from '../../../platform/lifecycle.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { type MarketplaceTrust, openTrust } from '../../../producers/marketplace/open-trust.ts'
import { probeSignatures } from '../../../producers/marketplace/policy-probes.ts'
import { publicTrustRoot } from '../../../producers/marketplace/trust/trust-root.ts'
import { noVault } from '../../platform/keys/vault.contract.ts'
import { eventually } from '../../support/eventually.ts'
import { type FakeVault, openFakeVault } from '../../support/fake-vault.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type Marketplace, openMarketplace, verdictOf } from './fixture.ts'

const WITHIN_MS = 20_000

describe('producers/marketplace: signing with a key in a key store', function () {
  this.timeout(60_000)
  let market: Marketplace
  let vault: FakeVault
  let secretId = ''
  let aheadMs = 0
  const { log, lines } = recordingLog()
  const lifecycle = createLifecycle(log)
  let trust: MarketplaceTrust
  before(async () => {
    market = await openMarketplace()
    await market.judging((_, digest) => verdictOf(digest))
    vault = await openFakeVault()
    const role = await vault.approle()
    secretId = role.secretId
    // It starts although the store is sealed.
    await vault.seal()
    const settings = { ...noVault, vaultAddr: vault.address, vaultRoleId: role.roleId, vaultSecretId: secretId }
    trust = await openTrust(
      { ...settings, home: '/nowhere', trustedRoot: undefined, oidcIssuers: undefined, oidcOrgClaim: undefined },
      {
        db: all(),
        now: () => new Date(Date.now() + aheadMs),
        log,
        metrics: createMetrics(),
        lifecycle,
        wake: () => {},
        activity: openActivity(),
      },
    )
  })
  after(async () => {
    await lifecycle.close()
    await vault.close()
    await market.close()
  })

  const all = () => market.database.as('atom_marketplace')
  const health = async (name: string) => trust.checks.find((one) => one.name === name)?.run()
  const p2 = async () => (await probeSignatures(all(), publicTrustRoot)()).detail
  const attestations = async (id: string) =>
    (await market.call<{ attestations: object[] }>('GET', `/wpk/${id}/verdict`, { as: market.tokens.demo })).body
      .attestations

  it('waits while the store is sealed, says so in health and P-2 without a credential, and goes on by itself', async () => {
    const { id } = await market.upload({ name: 'sealed-away' })
    await market.statusBecomes(id, 'in_review')
    await eventually(
      'the outage is noted',
      async () => (await all().query('select 1 from marketplace.signing_outage')).length === 1,
      WITHIN_MS,
    )
    const decision = { decision: 'approve', justification: 'read whole' }
    const reviewed = await market.call('POST', `/wpk/review/${id}`, { as: market.tokens.reviewer, json: decision })
    expect(reviewed.status).to.equal(200)
    expect(await market.statusBecomes(id, 'approved')).to.not.equal(false)
    const check = await health('signing key')
    expect(check).to.include({ status: 'warning', code: 'key_store_sealed' })
    expect(await p2()).to.match(/the marketplace signs nothing since .* \(key_store_sealed\), and publishes nothing$/)
    expect(await attestations(id)).to.deep.equal([])

    await vault.unseal()
    await eventually(
      'it is published',
      async () => {
        const { body } = await market.call<{ status: string }>('GET', `/wpk/${id}`, { as: market.tokens.acme })
        return body.status === 'published'
      },
      WITHIN_MS,
    )
    expect(await attestations(id)).to.have.length(2)
    expect(await p2()).not.to.contain('signs nothing')
    expect(JSON.stringify([lines, check])).not.to.contain(secretId)
    // Health asks the store every 5 s at most.
    aheadMs += 5_000
    expect(await health('signing key')).to.include({ status: 'ok', detail: 'in a key store, 1 version(s)' })
    const keys = await trust.deps.registryKey.publicKeys()
    expect(keys).to.have.length(1)
  })

  it('closes at once while the store hangs', async () => {
    vault.state.delayMs = 60_000
    const asked = vault.asked.length
    const { id } = await market.upload({ name: 'hangs' })
    await market.statusBecomes(id, 'in_review')
    await eventually('the store is asked', () => vault.asked.length > asked, WITHIN_MS)
    const began = performance.now()
    await lifecycle.close()
    expect(performance.now() - began, 'well within the 3 s of a stop').to.be.lessThan(1_500)
  })
})
