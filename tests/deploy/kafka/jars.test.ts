import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { kafkaJars } from '../../../deploy/kafka/jars.ts'
import { kafkaOrSkip } from '../../support/kafka.ts'

describe('deploy/kafka/jars', function () {
  this.timeout(60_000)

  it('are resolved once for clusters that start at the same time', async function () {
    await kafkaOrSkip(this)
    const cache = await mkdtemp(join(tmpdir(), 'atom-test-jars-'))
    try {
      const [first, second] = [kafkaJars(cache), kafkaJars(cache)]
      // Two that both fill the folder would take it from under each other.
      expect(first).to.equal(second)
      const folder = await first
      expect(await readdir(cache)).to.have.length(1)
      expect((await readdir(folder)).filter((name) => name.endsWith('.jar'))).not.to.have.length(0)
    } finally {
      await rm(cache, { recursive: true, force: true })
    }
  })
})
