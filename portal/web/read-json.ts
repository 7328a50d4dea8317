/** Checks one JSON value and returns it typed; `at` is its JSON Pointer, named by the error when it does not fit. */
export type Read<T> = (value: unknown, at: string) => T

/** An answer that is not shaped as agreed. Better said once here than drawn as a wrong figure. */
export class UnexpectedShape extends Error {
  constructor(at: string, expected: string) {
    super(`${at === '' ? 'the answer' : at} is not ${expected}`)
    this.name = 'UnexpectedShape'
  }
}

type Fields = Record<string, unknown>

export const readText: Read<string> = (value, at) => {
  if (typeof value !== 'string') throw new UnexpectedShape(at, 'a text')
  return value
}

export const readNumber: Read<number> = (value, at) => {
  if (typeof value !== 'number') throw new UnexpectedShape(at, 'a number')
  return value
}

/** A text that passes `fits`, for decimals, months and times. */
export const readTextThat =
  (expected: string, fits: (text: string) => boolean): Read<string> =>
  (value, at) => {
    const text = readText(value, at)
    if (!fits(text)) throw new UnexpectedShape(at, expected)
    return text
  }

export const readFields: Read<Fields> = (value, at) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UnexpectedShape(at, 'an object')
  return value as Fields
}

export const readList =
  <T>(readItem: Read<T>): Read<T[]> =>
  (value, at) => {
    if (!Array.isArray(value)) throw new UnexpectedShape(at, 'a list')
    return value.map((item, index) => readItem(item, `${at}/${index}`))
  }

/** One field of an object that must be there. */
export const field = <T>(of: Fields, at: string, name: string, read: Read<T>): T => read(of[name], `${at}/${name}`)

/** One field that may be absent or null; both read as null, since a database row spells "absent" as null. */
export const optionalField = <T>(of: Fields, at: string, name: string, read: Read<T>): T | null =>
  of[name] === undefined || of[name] === null ? null : read(of[name], `${at}/${name}`)
