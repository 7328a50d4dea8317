/** The few pieces of DER that certificates and timestamps are made of. */
const length = (size: number): Buffer => {
  if (size < 0x80) return Buffer.from([size])
  const bytes = Buffer.from(size.toString(16).padStart(size > 0xffff ? 6 : size > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes])
}

export const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const value = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), length(value.length), value])
}
export const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, ...parts)
export const set = (...parts: Uint8Array[]): Buffer => der(0x31, ...parts)
export const octets = (value: Uint8Array): Buffer => der(0x04, value)
export const bits = (value: Uint8Array): Buffer => der(0x03, Buffer.from([0]), value)
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text))
export const flag = (value: boolean): Buffer => der(0x01, Buffer.from([value ? 0xff : 0]))
export const context = (number: number, ...parts: Uint8Array[]): Buffer => der(0xa0 | number, ...parts)
/** A primitive value under a context tag, as general names and key identifiers are. */
export const implicit = (number: number, value: Uint8Array): Buffer => der(0x80 | number, value)

export function integer(value: number | Buffer): Buffer {
  const bytes = typeof value === 'number' ? Buffer.from([value]) : value
  return der(0x02, (bytes[0] as number) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

export function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const groups = [part & 0x7f]
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}

export const generalizedTime = (time: Date): Buffer =>
  der(0x18, Buffer.from(`${time.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))
