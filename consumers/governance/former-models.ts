import { readFile } from 'node:fs/promises'
import { isModelCard, type ModelCard } from './model-card.ts'

/** A model that judged before: its card says what it was worth. Its weights are not kept. */
export type FormerModel = Omit<ModelCard, 'weights' | 'intercept'>

/** Cards of the models before the one in use, newest first; `npm run train` adds the one it replaces. */
export async function readFormerModels(directory = new URL('./model/', import.meta.url)): Promise<FormerModel[]> {
  const cards: unknown = JSON.parse(await readFile(new URL('former.json', directory), 'utf8'))
  if (!Array.isArray(cards)) throw new Error('former.json is no list')
  return cards.map((card: object) => {
    if (!isModelCard({ weights: {}, intercept: 0, ...card })) throw new Error('former.json has a card that is none')
    return card as FormerModel
  })
}
