import { readFile } from 'node:fs/promises'

/** `model.json`: what the training wrote about its model. `GET /models` answers with it. */
export type ModelCard = {
  version: string
  sha256: string
  training_data_sha256: string
  features: string[]
  /** What a feature adds to the log odds, by name; the model is a sum, so this is all of it. None: zero. */
  weights: Record<string, number>
  /** The log odds of a package without any feature. */
  intercept: number
  thresholds: Record<string, number>
  measured: Record<string, unknown>
}

export type ModelInfo = ModelCard

/** Reads and checks `model.json`; throws when it is missing or not of this form. */
export async function readModelCard(directory: URL): Promise<ModelCard> {
  const card: unknown = JSON.parse(await readFile(new URL('model.json', directory), 'utf8'))
  if (!isModelCard(card)) throw new Error('model.json has not the expected form')
  return card
}

/** Whether a value read from a file is a card. */
export function isModelCard(value: unknown): value is ModelCard {
  if (typeof value !== 'object' || value === null) return false
  const card = value as Partial<Record<keyof ModelCard, unknown>>
  const texts = [card.version, card.sha256, card.training_data_sha256].every((text) => typeof text === 'string')
  const features = Array.isArray(card.features) && card.features.every((name) => typeof name === 'string')
  const tables = [card.thresholds, card.measured, card.weights].every(
    (table) => typeof table === 'object' && table !== null,
  )
  return texts && features && tables && typeof card.intercept === 'number'
}
