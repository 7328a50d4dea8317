import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { oneATurn } from '../../../../producers/marketplace/trust/one-a-turn.ts'
import { publicTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import { verifySignature } from '../../../../producers/marketplace/trust/verify-signature.ts'
import { newKey } from '../../../support/organisations.ts'
import { packageBytes, signatureOf } from '../../../support/packages.ts'
import { rejected } from '../../../support/rejected.ts'

/** What is done beside `work`, a turn of the event loop at a time. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  while (!isDone) {
    await turn()
    turns += 1
  }
  await done
  return turns
}

describe('producers/marketplace/trust: verification leaves others their turn', () => {
  it('begins one piece of work a turn, in their order, also after one that failed', async () => {
    const order: string[] = []
    const piece = (name: string) =>
      oneATurn(async () => {
        order.push(name)
        if (name === 'b') throw new Error(name)
      })
    const all = Promise.allSettled(['a', 'b', 'c'].map(piece))
    const others = turnsDuring(all)
    for (let n = 0; n < 3; n += 1) {
      await turn()
      order.push('other')
    }
    await others
    expect(order.filter((name) => name !== 'other')).to.deep.equal(['a', 'b', 'c'])
    expect(order.indexOf('other'), order.join()).to.be.lessThan(order.indexOf('c'))
  })

  it('tries the keys of a large package two at a time', async () => {
    const bytes = packageBytes({ description: 'x'.repeat(990_000) })
    const keys = Array.from({ length: 20 }, () => ({ ...newKey(), validFrom: new Date(0), revokedAt: null }))
    const signers = { keys, identities: [], foreign: async () => [] }
    const trust = { signers, root: publicTrustRoot, receivedAt: new Date() }
    const judged = verifySignature(bytes, { signature: signatureOf(bytes, newKey()) }, trust)
    expect(await turnsDuring(rejected(judged))).to.be.at.least(9)
  })
})
