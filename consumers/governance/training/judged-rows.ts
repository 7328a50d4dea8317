import { readFileSync } from 'node:fs'
import { riskScore } from '../risk.ts'
import type { Row } from './development-rows.ts'
import { type Additive, probabilityBy, readLeftOutModels } from './left-out-models.ts'

/** A row with its three risks: rules alone, model alone, both. The model was trained without the row's source. */
export type Judged = { row: Row; rules: number; model: number; both: number }

export const WAYS = ['rules', 'model', 'both'] as const
export type Way = (typeof WAYS)[number]

/** The model in use, as a sum. */
export const readModelInUse = (): Additive =>
  JSON.parse(readFileSync(new URL('../model/model.json', import.meta.url), 'utf8'))

/** Judges rows out of source. The model in use judges a source that no row of the training is of. */
export function judgeRows(
  rows: readonly Row[],
  leftOut: Record<string, Additive> = readLeftOutModels(),
  inUse: Additive = readModelInUse(),
): Judged[] {
  return rows.map((row) => {
    const model = probabilityBy(leftOut[row.source] ?? inUse, row.features)
    return { row, rules: riskScore(row.findings, null), model, both: riskScore(row.findings, model) }
  })
}
