import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type ModelCard, readModelCard } from './model-card.ts'

/** The model when it is usable, or why it is not: the analyzer then judges by rules alone and says so. */
export type LoadedModel =
  | {
      usable: true
      card: ModelCard
      probability: (features: Float32Array) => Promise<number | null>
      close: () => Promise<void>
    }
  | { usable: false; reason: string }

/**
 * Loads `model.onnx` beside `model.json` in `directory`. The bytes must have the sha256 that the card names, and the
 * card's features must be exactly `featureNames`.
 */
export async function loadModel(directory: URL, featureNames: readonly string[]): Promise<LoadedModel> {
  try {
    const card = await readModelCard(directory)
    const bytes = await readFile(new URL('model.onnx', directory))
    if (createHash('sha256').update(bytes).digest('hex') !== card.sha256)
      return { usable: false, reason: 'sha256 differs' }
    if (card.features.join('\n') !== featureNames.join('\n')) return { usable: false, reason: 'other features' }
    // One row takes about 10 us: more threads would only wait for each other, and there is no memory to be planned.
    const session = await InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      enableCpuMemArena: false,
      enableMemPattern: false,
      logSeverityLevel: 3,
    })
    return {
      usable: true,
      card,
      probability: (features) => probabilityOf(session, features),
      close: () => session.release(),
    }
  } catch (error) {
    return { usable: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

// Only what is read: the label beside it would cost a third of the time.
const OUTPUT = 'probabilities'

/** Null when a feature or the answer is no number: nothing was judged then, and a person must look. */
async function probabilityOf(session: InferenceSession, features: Float32Array): Promise<number | null> {
  if (!features.every(Number.isFinite)) return null
  const name = session.inputNames[0] ?? ''
  const output = await session.run({ [name]: new Tensor('float32', features, [1, features.length]) }, [OUTPUT])
  const risky = output[OUTPUT]?.data[1]
  return typeof risky === 'number' && Number.isFinite(risky) ? risky : null
}
