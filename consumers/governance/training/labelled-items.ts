import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Violation } from '../../../schemas/verdict.ts'
import { FEATURE_NAMES } from '../features.ts'
import { runRules } from '../judge.ts'
import { loadModel } from '../model.ts'
import { readPackage } from '../read-package.ts'
import { riskScore } from '../risk.ts'

/** One entry of `index.json` in a folder of labelled packages. */
export type Item = {
  file: string
  kind: string
  family: string
  tier: string | null
  labels: string[]
  negative_for: string[]
  negative_disputed?: Record<string, string>
  pointers: Record<string, string[]>
  source: { repo: string }
}

/** An item with its findings, the three risks (rules alone, model alone, both) and what it took in milliseconds (analysis: processor time). */
export type Judged = {
  item: Item
  violations: Violation[]
  rules: number
  model: number
  both: number
  analysisMs: number
  inferenceMs: number
}

const MODEL_DIRECTORY = new URL('../model/', import.meta.url)

/** Judges every package of a labelled folder in this process, on one thread. Throws without a usable model. */
export async function judgeAll(directory: string): Promise<{ judged: Judged[]; data: string; model: string }> {
  const index = readFileSync(join(directory, 'index.json'))
  const items = JSON.parse(index.toString('utf8')) as Item[]
  const model = await loadModel(MODEL_DIRECTORY, FEATURE_NAMES)
  if (!model.usable) throw new Error(`no usable model: ${model.reason}`)
  // The hash of every byte that is judged, in the order of the index.
  const hash = createHash('sha256').update(index)
  const judged: Judged[] = []
  for (const item of items) {
    const content = readFileSync(join(directory, item.file))
    hash.update(content)
    // The shortest of four rounds: a process that has been running for a while is what counts.
    const first = await judgeOne(item, content, model.probability)
    const rounds = [first]
    while (rounds.length < 4) rounds.push(await judgeOne(item, content, model.probability))
    judged.push({
      ...first,
      analysisMs: Math.min(...rounds.map(({ analysisMs }) => analysisMs)),
      inferenceMs: Math.min(...rounds.map(({ inferenceMs }) => inferenceMs)),
    })
  }
  await model.close()
  return { judged, data: hash.digest('hex'), model: model.card.version }
}

async function judgeOne(
  item: Item,
  content: Uint8Array,
  probabilityOf: (features: Float32Array) => Promise<number | null>,
): Promise<Judged> {
  // Processor time: what else the machine does is not the analyzer's.
  const before = process.cpuUsage()
  const read = readPackage(content)
  if (!read.ok) throw new Error(`${item.file}: ${read.errors[0]?.detail}`)
  const { violations, features } = runRules(read.wpk)
  const used = process.cpuUsage(before)
  const between = performance.now()
  const probability = await probabilityOf(features)
  const end = performance.now()
  return {
    item,
    violations,
    rules: riskScore(violations, null),
    model: riskScore([], probability),
    both: riskScore(violations, probability),
    analysisMs: (used.user + used.system) / 1000,
    inferenceMs: end - between,
  }
}
