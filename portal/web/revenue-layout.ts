import type { RevenueMonth } from './answers.ts'
import { axisTicks } from './axis-ticks.ts'
import { fromScaled, groupDigits, ratio, toScaled } from './decimal.ts'
import { shortMonth } from './names.ts'
import { type RevenuePartKey, revenueParts } from './revenue-parts.ts'

const HEIGHT = 280
const TOP = 24
const BOTTOM = 42
const TICKS = 4n
// One digit of the 12 px chart type; measured as 7.2 in Chromium with the widest of the system fonts, rounded up.
const DIGIT_PX = 7.5
const SLOT_MIN_PX = 40
const COLUMN_MAX_PX = 64
const COLUMN_SHARE = 0.62

export type Segment = { part: RevenuePartKey; y: number; height: number; title: string }
export type Column = {
  month: string
  x: number
  width: number
  center: number
  label: string
  /** Given for the first column and each January, so that the year is said once. */
  year: string | null
  /** Left out where it would run into its neighbour. */
  total: { text: string; y: number } | null
  segments: Segment[]
}
export type RevenueLayout = {
  width: number
  height: number
  left: number
  labelY: number
  zeroY: number
  ticks: { y: number; text: string }[]
  columns: Column[]
}

const stackEnds = (month: RevenueMonth) => {
  const values = revenueParts.map((part) => toScaled(month[part.key]))
  const sum = (fits: (value: bigint) => boolean) => values.filter(fits).reduce((a, b) => a + b, 0n)
  return { low: sum((value) => value < 0n), high: sum((value) => value > 0n) }
}

// A gap keeps neighbours apart where patterns are too small to; a part worth drawing is at least a line.
const separated = (top: number, bottom: number): { y: number; height: number } => {
  const gap = bottom - top > 4 ? 1.5 : 0
  return { y: top + gap, height: Math.max(1, bottom - top - gap) }
}

/**
 * Places stacked columns in a box of `width` pixels, or wider when that leaves too little for each month. Parts
 * below zero (credit notes) stack downwards. Pixels out; the texts are the decimals that came in.
 */
export const revenueLayout = (months: readonly RevenueMonth[], width: number): RevenueLayout => {
  let low = 0n
  let high = 0n
  for (const end of months.map(stackEnds)) {
    if (end.low < low) low = end.low
    if (end.high > high) high = end.high
  }
  // All zero is a fair answer too; it still needs a height to be zero of.
  if (low === high) high = toScaled('1')
  const values = axisTicks(low, high, TICKS)
  // A small credit must not cost a whole step of height: the axis goes down only as far as the figures do.
  const span = (values.at(-1) ?? high) - low
  const yOf = (value: bigint) => TOP + (1 - ratio(value - low, span)) * (HEIGHT - TOP - BOTTOM)
  const ticks = values.map((value) => ({ y: yOf(value), text: groupDigits(fromScaled(value)) }))
  const left = Math.ceil(Math.max(...ticks.map((tick) => tick.text.length)) * DIGIT_PX) + 12
  const slot = Math.max(SLOT_MIN_PX, (width - left) / Math.max(1, months.length))
  const columnWidth = Math.min(COLUMN_MAX_PX, slot * COLUMN_SHARE)
  const totalsFit = months.every((month) => groupDigits(month.gross).length * DIGIT_PX <= slot)

  const columns = months.map((month, index): Column => {
    const center = left + slot * (index + 0.5)
    let up = 0n
    let down = 0n
    const segments = revenueParts.map((part): Segment => {
      const value = toScaled(month[part.key])
      const from = value < 0n ? down : up
      const to = from + value
      if (value < 0n) down = to
      else up = to
      const [upper, lower] = value < 0n ? [from, to] : [to, from]
      const title = `${part.name}, ${shortMonth(month.month)}: ${groupDigits(month[part.key])}`
      return { part: part.key, ...separated(yOf(upper), yOf(lower)), title }
    })
    return {
      month: month.month,
      x: center - columnWidth / 2,
      width: columnWidth,
      center,
      label: shortMonth(month.month),
      year: index === 0 || month.month.endsWith('-01') ? month.month.slice(0, 4) : null,
      total: totalsFit ? { text: groupDigits(month.gross), y: yOf(up) - 7 } : null,
      segments: segments.filter((segment) => toScaled(month[segment.part]) !== 0n),
    }
  })
  return {
    width: Math.max(width, left + slot * months.length),
    height: HEIGHT,
    left,
    labelY: HEIGHT - BOTTOM + 17,
    zeroY: yOf(0n),
    ticks,
    columns,
  }
}
