import { readdirSync, readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { FEATURE_NAMES } from '../../consumers/governance/features.ts'
import { runRules } from '../../consumers/governance/judge.ts'
import { loadModel } from '../../consumers/governance/model.ts'
import { readPackage } from '../../consumers/governance/read-package.ts'
import { type Figure, median, quantile } from './measure.ts'

const MODEL = new URL('../../consumers/governance/model/', import.meta.url)
const EXAMPLES = new URL('../../docs/examples/', import.meta.url)
const WARM_UP = 1_000
const TIMES = 20_000

type Times = { wall: number[]; cpu: number[] }

/**
 * What one inference costs, by the clock and by the processor: one after the other, and as in use, where an analysis has
 * filled the caches in between. The same model through the bare library says how much of it is ours.
 */
export async function governance(say: (text: string) => void, short: boolean): Promise<Figure[]> {
  const model = await loadModel(MODEL, FEATURE_NAMES)
  if (!model.usable) throw new Error(`no usable model: ${model.reason}`)
  const session = await InferenceSession.create(readFileSync(new URL('model.onnx', MODEL)), { intraOpNumThreads: 1 })
  const documents = readdirSync(EXAMPLES).map((file) => readFileSync(new URL(file, EXAMPLES)))
  const rows = documents.map((content) => analysed(content))
  const times = short ? TIMES / 10 : TIMES
  const row = (turn: number) => rows[turn % rows.length] as Float32Array
  const [name = ''] = session.inputNames
  const ours = async (turn: number) => void (await model.probability(row(turn)))
  const bare = async (turn: number) =>
    void (await session.run({ [name]: new Tensor('float32', row(turn), [1, FEATURE_NAMES.length]) }))

  const sides = { ours: empty(), bare: empty(), inUse: empty(), analysis: empty() }
  for (let round = 1; round <= 4; round += 1) {
    await measured(sides.bare, bare, times / 4)
    await measured(sides.ours, ours, times / 4)
    say(`round ${round}: ${text(sides.ours)} (bare ${text(sides.bare)})`)
  }
  for (let turn = 0; turn < times / 10; turn += 1) {
    const content = documents[turn % documents.length] as Buffer
    let features: Float32Array = new Float32Array()
    await measured(
      sides.analysis,
      async () => {
        features = analysed(content)
      },
      1,
      0,
    )
    await measured(sides.inUse, async () => void (await model.probability(features)), 1, 0)
  }
  say(`in use: ${text(sides.inUse)}; analysis: ${text(sides.analysis)}`)
  await model.close()
  const inference = (name: string, share: number, { wall, cpu }: Times): Figure => ({
    name,
    value: quantile(wall, share),
    unit: 'ms',
    hold: 0.1,
    better: 'lower',
    sides: `n ${wall.length}, p50 ${micro(wall, 0.5)}, p99 ${micro(wall, 0.99)}; processor p50 ${micro(cpu, 0.5)}, p99 ${micro(cpu, 0.99)}`,
  })
  return [
    inference('inference, p99', 0.99, sides.ours),
    // Its p99 is that of the collector, which cleans up after the analysis at the same time.
    inference('inference right after an analysis, median', 0.5, sides.inUse),
    {
      name: 'inference over bare session.run',
      value: median(sides.ours.wall) / median(sides.bare.wall),
      unit: 'ratio',
      hold: 1.25,
      better: 'lower',
      sides: `p50 ${micro(sides.ours.wall, 0.5)} over ${micro(sides.bare.wall, 0.5)}, p99 ${micro(sides.ours.wall, 0.99)} over ${micro(sides.bare.wall, 0.99)}`,
    },
    {
      name: 'analysis of a shipped example, p95 of processor time',
      value: quantile(sides.analysis.cpu, 0.95),
      unit: 'ms',
      hold: 10,
      better: 'lower',
      sides: `n ${sides.analysis.cpu.length}, rules and features without the model`,
    },
  ]
}

const empty = (): Times => ({ wall: [], cpu: [] })
const micro = (values: readonly number[], share: number): string => `${(quantile(values, share) * 1000).toFixed(0)} us`
const text = ({ wall, cpu }: Times): string =>
  `p50 ${micro(wall, 0.5)}, p99 ${micro(wall, 0.99)}, processor p99 ${micro(cpu, 0.99)}`

function analysed(content: Uint8Array): Float32Array {
  const read = readPackage(content)
  if (!read.ok) throw new Error('an example is no package')
  return runRules(read.wpk).features
}

async function measured(
  into: Times,
  work: (turn: number) => Promise<void>,
  times: number,
  warmUp = WARM_UP,
): Promise<void> {
  for (let turn = 0; turn < warmUp; turn += 1) await work(turn)
  for (let turn = 0; turn < times; turn += 1) {
    const before = process.cpuUsage()
    const began = performance.now()
    await work(turn)
    into.wall.push(performance.now() - began)
    const { user, system } = process.cpuUsage(before)
    into.cpu.push((user + system) / 1000)
  }
}
