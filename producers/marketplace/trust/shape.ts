import { pointerStep } from '../../../platform/document-problem.ts'
import { marketplaceError } from '../errors.ts'
import { strictBase64 } from './strict-base64.ts'

/** Looks at one value of a bundle and throws `bundle_malformed` with its pointer. */
export type Shape = (value: unknown, pointer: string) => void

export function malformed(pointer: string, detail: string) {
  return marketplaceError('bundle_malformed', `${pointer || 'the bundle'} ${detail}`, {
    errors: [{ pointer, code: 'bundle_malformed', detail }],
  })
}

/** An object with these members and no others. The text form of protobuf writes an absent message as null. */
export const object =
  (required: Record<string, Shape>, optional: Record<string, Shape> = {}): Shape =>
  (value, pointer) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw malformed(pointer, 'must be an object')
    const members = value as Record<string, unknown>
    for (const name of Object.keys(members))
      if (!Object.hasOwn(required, name) && !Object.hasOwn(optional, name))
        throw malformed(pointer + pointerStep(name), 'is not a member that is known here')
    for (const [name, shape] of Object.entries(required)) shape(members[name], pointer + pointerStep(name))
    for (const [name, shape] of Object.entries(optional))
      if (members[name] !== undefined && members[name] !== null) shape(members[name], pointer + pointerStep(name))
  }

export const list =
  (item: Shape, low: number, high: number): Shape =>
  (value, pointer) => {
    if (!Array.isArray(value) || value.length < low || value.length > high)
      throw malformed(pointer, `must be a list of ${low === high ? low : `${low} to ${high}`}`)
    value.forEach((one, index) => {
      item(one, `${pointer}/${index}`)
    })
  }

/** Base64 spelled in exactly one way; the library drops junk inside it. */
export const base64 =
  (maxBytes = 64_000): Shape =>
  (value, pointer) => {
    const bytes = typeof value === 'string' ? strictBase64(value) : null
    if (!bytes) throw malformed(pointer, 'must be base64 without anything else in it')
    if (bytes.length > maxBytes) throw malformed(pointer, `must hold at most ${maxBytes} bytes`)
  }

export const text =
  (pattern: RegExp, what: string): Shape =>
  (value, pointer) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw malformed(pointer, `must be ${what}`)
  }

export const oneOf =
  (words: readonly string[]): Shape =>
  (value, pointer) => {
    if (typeof value !== 'string' || !words.includes(value)) throw malformed(pointer, `must be ${words.join(' or ')}`)
  }

/** A 64-bit number, which the text form of protobuf writes as text. */
export const digits: Shape = (value, pointer) => {
  if (typeof value === 'string' ? /^\d{1,19}$/.test(value) : Number.isSafeInteger(value) && (value as number) >= 0)
    return
  throw malformed(pointer, 'must be a whole number')
}
