import { readFileSync } from 'node:fs'

/** The model as a sum: log odds are `intercept` plus weight times feature. A feature without a weight adds nothing. */
export type Additive = { intercept: number; weights: Record<string, number> }

const FILE = new URL('./leave_one_source_out.json', import.meta.url)

/** By source, the model that was trained on everything but that source. `npm run train` writes them. */
export const readLeftOutModels = (): Record<string, Additive> => JSON.parse(readFileSync(FILE, 'utf8'))

/** The probability such a model gives, from features by name. */
export function probabilityBy({ intercept, weights }: Additive, features: Record<string, number>): number {
  const logOdds = Object.entries(features).reduce((sum, [name, value]) => sum + value * (weights[name] ?? 0), intercept)
  return 1 / (1 + Math.exp(-logOdds))
}
