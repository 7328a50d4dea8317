import { expect } from 'chai'
import { murmur2, partitionOf } from '../../../platform/bus/partition.ts'

/** Values of Kafka's Java client (org.apache.kafka.common.utils.UtilsTest). */
const VECTORS: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

describe('platform/bus/partition', () => {
  for (const [key, hash] of VECTORS)
    it(`hashes ${key} as Kafka's Java client does`, () => {
      expect(murmur2(Buffer.from(key))).to.equal(hash)
    })

  it('hashes a view into a larger buffer by its own bytes', () => {
    expect(murmur2(Buffer.from('xxfoobarxx').subarray(2, 8))).to.equal(-790332482)
  })

  it('clears the sign bit instead of taking the absolute value, as the Java client does', () => {
    expect(partitionOf('21', 4)).to.equal((-973932308 & 0x7fffffff) % 4)
    for (const [key, hash] of VECTORS) expect(partitionOf(key, 7), key).to.equal((hash & 0x7fffffff) % 7)
  })

  it('takes the UTF-8 bytes of the key and reaches every partition', () => {
    expect(partitionOf('grün', 1000)).to.equal((murmur2(Buffer.from('grün', 'utf8')) & 0x7fffffff) % 1000)
    const reached = new Set(Array.from({ length: 200 }, (_, index) => partitionOf(`tenant-${index}`, 4)))
    expect([...reached].sort()).to.deep.equal([0, 1, 2, 3])
  })
})
