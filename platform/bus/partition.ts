/**
 * Kafka's default partitioner (murmur2 of the key's UTF-8 bytes, seed 0x9747b28c), so that a key lands in the
 * same partition on both backends and on what other Kafka clients write.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions
}

const M = 0x5bd1e995

export function murmur2(data: Uint8Array): number {
  let h = 0x9747b28c ^ data.length
  const whole = data.length & ~3
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(view.getInt32(i, true), M)
    k ^= k >>> 24
    h = Math.imul(h, M) ^ Math.imul(k, M)
  }
  const rest = data.length - whole
  if (rest === 3) h ^= (data[whole + 2] as number) << 16
  if (rest >= 2) h ^= (data[whole + 1] as number) << 8
  if (rest >= 1) h = Math.imul(h ^ (data[whole] as number), M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}
