import { parseArgs } from 'node:util'
import { FEATURE_NAMES } from '../features.ts'
import { runRules } from '../judge.ts'
import { loadModel } from '../model.ts'
import { readPackage } from '../read-package.ts'
import { RULESET } from '../rules/index.ts'
import { cardFigures, groupsOf } from './card-figures.ts'
import { rowOf, vectorOf } from './development-rows.ts'
import { figuresOf, silencePairs } from './figures.ts'
import { judgeRows } from './judged-rows.ts'
import { judgeSamples } from './judged-samples.ts'
import { labelledItems } from './labelled-items.ts'
import { shareText } from './wilson.ts'

const ROUNDS = 4

/** Prints how the analyzer does on a folder of labelled packages, whose README describes index.json. Throws without a usable model. */
async function evaluate(directory: string): Promise<void> {
  const { items, sha256 } = labelledItems(directory)
  const rows = items.map((one) => rowOf(one, runRules(one.wpk)))
  const model = await loadModel(new URL('../model/', import.meta.url), FEATURE_NAMES)
  if (!model.usable) throw new Error(`no usable model: ${model.reason}`)
  console.log(`${rows.length} packages, data sha256 ${sha256}, ${RULESET}, model ${model.card.version}\n`)
  const judged = judgeRows(rows)
  console.log(cardFigures(judged, judgeSamples(), model.card.measured))
  console.log('### Every figure by family\n')
  for (const [family, group] of groupsOf(judged, ({ row }) => row.family))
    for (const { figure, hits, of, target } of figuresOf(group))
      if (of > 0) console.log(`${family} | ${figure} | ${shareText(hits, of)} | ${target}`)
  console.log('')
  const analysis = items.map(({ content }) => processorTime(content))
  const inference = await inferenceTimes(rows.map(vectorOf), model.probability)
  await model.close()
  console.log(`analysis, ms of processor time: ${quantiles(analysis, 0.95)} (asked: p95 of 10)`)
  console.log(`inference, ms: ${quantiles(inference, 0.99)} (asked: p99 of 0.1)`)
  for (const { rule, sha256: digest } of silencePairs(rows).filter(({ silent }) => !silent))
    console.log(`not silent: ${rule} on ${digest}`)
}

/** What one analysis takes, in ms of processor time: what else the machine does is not the analyzer's. */
function processorTime(content: Uint8Array): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage()
    const read = readPackage(content)
    if (!read.ok) throw new Error(`${read.errors[0]?.detail}`)
    runRules(read.wpk)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
  // The shortest round: a process that has been running for a while is what counts.
  return Math.min(...rounds)
}

/** What every inference took, in ms, package after package. */
async function inferenceTimes(
  vectors: readonly Float32Array[],
  probabilityOf: (features: Float32Array) => Promise<number | null>,
): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS * 5; round += 1) {
    for (const features of vectors) {
      const start = performance.now()
      await probabilityOf(features)
      // The first rounds warm the library up.
      if (round >= ROUNDS) times.push(performance.now() - start)
    }
  }
  return times
}

/** The median and another quantile of milliseconds, as text. */
function quantiles(values: readonly number[], q: number): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(3)
  return `p50 ${at(0.5)}, p${q * 100} ${at(q)}`
}

const { data } = parseArgs({ options: { data: { type: 'string' } } }).values
if (data === undefined) throw new Error('usage: npm run evaluate -- --data DIR')
await evaluate(data)
