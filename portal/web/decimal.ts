// Money and quantities arrive as decimal text and are shown as that text; only the length of a bar or column is
// ever a ratio, and it is taken from BigInts scaled by 1e12, the scale the rest of the system uses.
const SCALE_DIGITS = 12
const RATIO_STEPS = 1_000_000n

/** True for `12`, `-0.50`, `123.456`; false for exponents, signs of plus and empty parts. */
export const isDecimal = (text: string): boolean => /^-?\d+(\.\d+)?$/.test(text)

const split = (text: string): { sign: string; whole: string; fraction: string } => {
  if (!isDecimal(text)) throw new RangeError(`not a decimal number: ${text}`)
  const sign = text.startsWith('-') ? '-' : ''
  const [whole = '0', fraction = ''] = text.slice(sign.length).split('.')
  return { sign, whole, fraction }
}

const scaledTo = (text: string, digits: number): bigint => {
  const { sign, whole, fraction } = split(text)
  const magnitude = BigInt(whole + fraction.slice(0, digits).padEnd(digits, '0'))
  return sign ? -magnitude : magnitude
}

const unscaled = (value: bigint, digits: number): string => {
  const magnitude = (value < 0n ? -value : value).toString().padStart(digits + 1, '0')
  const sign = value < 0n ? '-' : ''
  const whole = magnitude.slice(0, magnitude.length - digits)
  return digits === 0 ? sign + whole : `${sign}${whole}.${magnitude.slice(-digits)}`
}

/** The number scaled by 1e12; digits beyond that are cut, so it is for comparing and drawing, not for accounts. */
export const toScaled = (text: string): bigint => scaledTo(text, SCALE_DIGITS)

/** The shortest text of a number scaled by 1e12: `1500000000000n` is `1.5`. */
export const fromScaled = (value: bigint): string => trimZeros(unscaled(value, SCALE_DIGITS))

/** The exact sum, with as many decimals as the longest summand: `1.50` and `2` make `3.50`. */
export const addDecimals = (texts: readonly string[]): string => {
  const digits = texts.reduce((most, text) => Math.max(most, split(text).fraction.length), 0)
  return unscaled(
    texts.reduce((sum, text) => sum + scaledTo(text, digits), 0n),
    digits,
  )
}

/** `part / whole` as a number for drawing, in steps of a millionth; 0 when there is no whole. */
export const ratio = (part: bigint, whole: bigint): number =>
  whole === 0n ? 0 : Number((part * RATIO_STEPS) / whole) / Number(RATIO_STEPS)

/** Drops zeros that say nothing: `3.500` is `3.5`, `100` stays. For quantities; money keeps its decimals. */
export const trimZeros = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)

/** Groups the whole part by thousands and leaves every decimal as it came: `1234567.50` is `1,234,567.50`. */
export const groupDigits = (text: string): string => {
  const { sign, whole, fraction } = split(text)
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === '' ? sign + grouped : `${sign}${grouped}.${fraction}`
}
