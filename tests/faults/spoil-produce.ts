import type { Spoil } from './kafka-proxy.ts'

const PRODUCE = 0
/** From this version on headers and strings have another form, which our client does not speak. */
const FLEXIBLE_FROM = 9

/**
 * Follows both directions of one connection to a broker. `next` says what becomes of the answer to each produce request;
 * all else passes as it is. An answer comes after the broker has appended.
 */
export function spoiler(next: () => Spoil | null) {
  const asked = new Map<number, number>()
  const requestsIn = framed()
  const answersIn = framed()
  return {
    requests(chunk: Buffer): void {
      for (const frame of requestsIn(chunk)) {
        const [key, version] = [frame.readInt16BE(4), frame.readInt16BE(6)]
        if (key === PRODUCE && version < FLEXIBLE_FROM) asked.set(frame.readInt32BE(8), version)
      }
    },
    /** What passes to the client. */
    answers(chunk: Buffer): Buffer {
      const passed: Buffer[] = []
      for (const frame of answersIn(chunk)) {
        const id = frame.readInt32BE(4)
        const version = asked.get(id)
        asked.delete(id)
        const as = version === undefined ? null : next()
        if (as === 'silence') continue
        if (as !== null) writeCode(frame, version as number, as.code)
        passed.push(frame)
      }
      return Buffer.concat(passed)
    },
  }
}

/** Cuts a stream into its frames: four bytes of length, and so many more. */
function framed(): (chunk: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    const frames: Buffer[] = []
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      frames.push(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
    return frames
  }
}

/** Puts an error code, and no offset, into each partition of the answer: topics, in each its name and partitions. */
function writeCode(frame: Buffer, version: number, code: number): void {
  // Partition, code, offset and the time of the append; from version 5 on also the log's first offset.
  const size = 4 + 2 + 8 + 8 + (version >= 5 ? 8 : 0)
  let at = 8
  const count = () => {
    at += 4
    return frame.readInt32BE(at - 4)
  }
  for (let topics = count(); topics > 0; topics--) {
    at += 2 + frame.readInt16BE(at)
    for (let partitions = count(); partitions > 0; partitions--) {
      frame.writeInt16BE(code, at + 4)
      frame.writeBigInt64BE(-1n, at + 6)
      at += size
    }
  }
}
