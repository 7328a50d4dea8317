import { expect } from 'chai'
import type { Spoil } from './kafka-proxy.ts'
import { spoiler } from './spoil-produce.ts'

const framed = (body: Buffer) => Buffer.concat([int32(body.length), body])
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const request = (key: number, version: number, id: number) =>
  framed(Buffer.concat([Buffer.from([0, key, 0, version]), int32(id), Buffer.from('rest')]))
/** Of version 7: one topic `t`, so many partitions, each acknowledged at offset 5; then the throttle time. */
function answer(id: number, partitions: number): Buffer {
  const each = Array.from({ length: partitions }, (_, n) => {
    const bytes = Buffer.alloc(30)
    bytes.writeInt32BE(n)
    bytes.writeBigInt64BE(5n, 6)
    return bytes
  })
  return framed(Buffer.concat([int32(id), int32(1), Buffer.from('\0\x01t'), int32(partitions), ...each, int32(0)]))
}
/** The code and the offset of each partition of such an answer. */
const told = (frame: Buffer, partitions: number) =>
  Array.from({ length: partitions }, (_, n) => {
    const at = 4 + 4 + 4 + 3 + 4 + n * 30
    return [frame.readInt32BE(at), frame.readInt16BE(at + 4), Number(frame.readBigInt64BE(at + 6))]
  })

describe('faults/spoil-produce', () => {
  const following = (...spoils: (Spoil | null)[]) => spoiler(() => spoils.shift() ?? null)

  it('puts the code into every partition of an answer to a produce request', () => {
    const connection = following({ code: 6 })
    connection.requests(request(0, 7, 11))
    expect(told(connection.answers(answer(11, 2)), 2)).to.deep.equal([
      [0, 6, -1],
      [1, 6, -1],
    ])
  })

  it('passes every other answer as it is, also in pieces', () => {
    const connection = following({ code: 6 })
    connection.requests(Buffer.concat([request(1, 11, 11), request(0, 7, 12)]))
    const both = Buffer.concat([answer(11, 1), answer(12, 1)])
    const passed = Buffer.concat([...both].map((byte) => connection.answers(Buffer.from([byte]))))
    const half = both.length / 2
    expect(passed.subarray(0, half).equals(both.subarray(0, half))).to.equal(true)
    expect(told(passed.subarray(half), 1)).to.deep.equal([[0, 6, -1]])
  })

  it('keeps an answer back when it should be silent, and none after it', () => {
    const connection = following('silence', null)
    connection.requests(Buffer.concat([request(0, 7, 1), request(0, 7, 2)]))
    const second = answer(2, 1)
    expect(connection.answers(Buffer.concat([answer(1, 1), second])).equals(second)).to.equal(true)
  })
})
