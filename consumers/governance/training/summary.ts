import { REVIEW_THRESHOLD } from '../risk.ts'
import { isRisky } from './development-rows.ts'
import type { Judged, Way } from './judged-rows.ts'

/** One number each for a way of judging, from 0 to 1. */
export type Summary = { balanced_accuracy: number; average_precision: number; brier: number }

/**
 * Balanced accuracy at the review threshold and average precision, of malicious and vulnerable packages against those in
 * real use; Brier score over all. Fixed before anything was measured with them.
 */
export function summaryOf(judged: readonly Judged[], way: Way): Summary {
  const risky = judged.filter(({ row }) => isRisky(row)).map((one) => one[way])
  const benign = judged.filter(({ row }) => row.kind === 'real-benign').map((one) => one[way])
  const flagged = (risks: readonly number[]) => risks.filter((risk) => risk >= REVIEW_THRESHOLD).length / risks.length
  return {
    balanced_accuracy: (flagged(risky) + 1 - flagged(benign)) / 2,
    average_precision: averagePrecision(risky, benign),
    brier: mean(judged.map((one) => (one[way] - (isRisky(one.row) ? 1 : 0)) ** 2)),
  }
}

/** The mean of the precision at each risky package; packages of the same risk are counted together. */
export function averagePrecision(risky: readonly number[], benign: readonly number[]): number {
  return mean(
    risky.map((risk) => {
      const found = risky.filter((other) => other >= risk).length
      return found / (found + benign.filter((other) => other >= risk).length)
    }),
  )
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** A band of risk: how many packages of it are risky, and the average risk that was said of them. */
export type Band = { band: string; said: number; hits: number; of: number }

const BANDS = [0, 0.1, 0.3, 0.6, 0.9]

/** What a risk is worth: the bands that have packages. */
export const reliabilityOf = (judged: readonly Judged[], way: Way): Band[] =>
  BANDS.map((from, index) => {
    const to = BANDS[index + 1] ?? 1.01
    const group = judged.filter((one) => one[way] >= from && one[way] < to)
    return {
      band: `${from} to ${Math.min(to, 1)}`,
      said: mean(group.map((one) => one[way])),
      hits: group.filter(({ row }) => isRisky(row)).length,
      of: group.length,
    }
  }).filter(({ of }) => of > 0)
