import { readFileSync } from 'node:fs'
import { runRules } from '../judge.ts'
import { REVIEW_THRESHOLD, riskScore } from '../risk.ts'
import type { Sample } from './generate-samples.ts'
import type { Way } from './judged-rows.ts'
import { averagePrecision } from './summary.ts'

/** A synthetic sample with its three risks. The model was trained without the sample's family. */
export type JudgedSample = { risky: boolean } & Record<Way, number>

const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8')

/** Judges the committed samples with what the training says of each when its family is left out. */
export function judgeSamples(): JudgedSample[] {
  const probabilities = JSON.parse(read('./leave_one_family_out.json')) as Record<string, number>
  return read('./policy_samples.jsonl')
    .trim()
    .split('\n')
    .map((line) => {
      const { id, risky, wpk } = JSON.parse(line) as Sample
      const model = probabilities[String(id)]
      if (model === undefined) throw new Error(`leave_one_family_out.json has no sample ${id}: run \`npm run train\``)
      const { violations } = runRules(wpk)
      return { risky, rules: riskScore(violations, null), model, both: riskScore(violations, model) }
    })
}

/** What a way of judging is worth on samples: shares at the review threshold, and average precision. */
export function ratesOf(
  judged: readonly JudgedSample[],
  way: Way,
): { recall: number; alarms: number; precision: number } {
  const risks = (risky: boolean) => judged.filter((one) => one.risky === risky).map((one) => one[way])
  const flagged = (list: readonly number[]) => list.filter((risk) => risk >= REVIEW_THRESHOLD).length / list.length
  const [risky, benign] = [risks(true), risks(false)]
  return { recall: flagged(risky), alarms: flagged(benign), precision: averagePrecision(risky, benign) }
}
