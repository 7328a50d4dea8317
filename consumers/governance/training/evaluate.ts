import { parseArgs } from 'node:util'
import { RULESET } from '../rules/index.ts'
import { criticalExamples, figuresOf, quantile, reliabilityOf, silencePairs } from './figures.ts'
import { type Judged, judgeAll } from './labelled-items.ts'
import { shareText } from './wilson.ts'

/** Prints how the analyzer does on a folder of labelled packages, whose README describes index.json. */
async function evaluate(directory: string): Promise<void> {
  const { judged, data, model } = await judgeAll(directory)
  console.log(`${judged.length} packages, data sha256 ${data}, ${RULESET}, model ${model}`)
  console.log('No package of this folder is in the training data: every source counts as unseen by the model.\n')
  table('In total', [['all', judged]])
  table(
    'By family',
    groups(judged, ({ item }) => item.family),
  )
  table(
    'By source',
    groups(judged, ({ item }) => item.source.repo),
  )
  const { hits, of } = criticalExamples()
  console.log(`documentation examples (one command each): critical finding | ${shareText(hits, of)} | <= 5 %\n`)
  console.log('## Reliability: what share of the packages in a band of risk is malicious or vulnerable\n')
  for (const { band, mean, hits: risky, of: count } of reliabilityOf(judged))
    console.log(`risk ${band} | ${mean} on average | ${shareText(risky, count)}`)
  console.log('')
  const by = (key: 'analysisMs' | 'inferenceMs') => judged.map((one) => one[key]).sort((a, b) => a - b)
  const times = by('analysisMs')
  console.log(
    `analysis ms of processor time: p50 ${quantile(times, 0.5)}, p95 ${quantile(times, 0.95)}, most ${quantile(times, 1)}; inference ms: p99 ${quantile(by('inferenceMs'), 0.99)}`,
  )
  for (const { rule, file } of silencePairs(judged).filter(({ silent }) => !silent))
    console.log(`not silent: ${rule} on ${file}`)
}

function groups(judged: readonly Judged[], key: (one: Judged) => string): [string, Judged[]][] {
  const found = new Map<string, Judged[]>()
  for (const one of judged) found.set(key(one), [...(found.get(key(one)) ?? []), one])
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

function table(title: string, rows: [string, Judged[]][]): void {
  console.log(`## ${title}, with 95 % intervals (Wilson)\n`)
  for (const [name, judged] of rows) {
    for (const { figure, hits, of, target } of figuresOf(judged)) {
      if (of > 0) console.log(`${name} | ${figure} | ${shareText(hits, of)} | ${target}`)
    }
  }
  console.log('')
}

const { data } = parseArgs({ options: { data: { type: 'string' } } }).values
if (data === undefined) throw new Error('usage: npm run evaluate -- --data DIR')
await evaluate(data)
