import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Verdict } from '../../../schemas/verdict.ts'
import { openAnalyzer } from '../analyzer.ts'
import { REVIEW_THRESHOLD } from '../risk.ts'

type Item = {
  file: string
  kind: string
  family: string
  tier: string | null
  labels: string[]
  negative_for: string[]
  negative_disputed?: Record<string, string>
  pointers: Record<string, string[]>
}
type Judged = { item: Item; verdict: Verdict }

// Findings about the envelope say nothing about what a package does.
const ENVELOPE = new Set(['WPK-P2-001', 'WPK-P2-002', 'WPK-P2-009', 'WPK-P3-001', 'WPK-P3-002', 'WPK-P4-001'])

/** Runs the analyzer over a folder of labelled packages (index.json as its README says) and prints how it does. */
async function evaluate(directory: string): Promise<void> {
  const items = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as Item[]
  const analyzer = await openAnalyzer()
  const judged: Judged[] = []
  const times: number[] = []
  for (const item of items) {
    const content = readFileSync(join(directory, item.file))
    const start = performance.now()
    judged.push({ item, verdict: await analyzer.analyze(content) })
    times.push(performance.now() - start)
  }
  console.log(`${judged.length} packages, model ${analyzer.models()[0]?.version ?? 'none'}`)
  await analyzer.close()
  for (const tier of ['malicious', 'vulnerable', 'hygiene'])
    printRecall(
      tier,
      judged.filter(({ item }) => item.tier === tier),
    )
  printFalseAlarms('real-benign', judged)
  printFalseAlarms('paired-negative', judged)
  printSilence(judged)
  printPlace(judged)
  times.sort((a, b) => a - b)
  console.log(`time ms: p50 ${quantile(times, 0.5)}, p95 ${quantile(times, 0.95)}, most ${quantile(times, 1)}`)
}

const severe = (verdict: Verdict) =>
  verdict.violations.filter(({ severity, rule_id }) => severity !== 'low' && !ENVELOPE.has(rule_id))
const share = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${part}/${whole} = ${((100 * part) / whole).toFixed(1)} %`
const quantile = (sorted: readonly number[], q: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(2)
const count = (judged: readonly Judged[], test: (one: Judged) => boolean): string =>
  share(judged.filter(test).length, judged.length)

function printRecall(tier: string, judged: readonly Judged[]): void {
  for (const family of ['all', ...new Set(judged.map(({ item }) => item.family))]) {
    const group = family === 'all' ? judged : judged.filter(({ item }) => item.family === family)
    const own = count(group, ({ item, verdict }) =>
      (tier === 'hygiene' ? verdict.violations : severe(verdict)).some(({ rule_id }) => item.labels.includes(rule_id)),
    )
    const any = count(group, ({ verdict }) => severe(verdict).length > 0)
    const score = count(group, ({ verdict }) => verdict.risk_score >= REVIEW_THRESHOLD)
    console.log(
      `${tier} ${family}: own rule ${own}; any finding >= medium ${any}; risk >= ${REVIEW_THRESHOLD} ${score}`,
    )
  }
}

function printFalseAlarms(kind: string, judged: readonly Judged[]): void {
  const all = judged.filter(({ item }) => item.kind === kind)
  for (const family of ['all', ...new Set(all.map(({ item }) => item.family))]) {
    const group = family === 'all' ? all : all.filter(({ item }) => item.family === family)
    const score = count(group, ({ verdict }) => verdict.risk_score >= REVIEW_THRESHOLD)
    const critical = count(group, ({ verdict }) => verdict.violations.some(({ severity }) => severity === 'critical'))
    console.log(`${kind} ${family}: risk >= ${REVIEW_THRESHOLD} ${score}; critical ${critical}`)
  }
}

function printSilence(judged: readonly Judged[]): void {
  const pairs = judged.flatMap(({ item, verdict }) =>
    item.negative_for
      .filter((rule) => item.negative_disputed?.[rule] === undefined)
      .map((rule) => !verdict.violations.some(({ rule_id }) => rule_id === rule)),
  )
  console.log(`paired negatives silent: ${share(pairs.filter(Boolean).length, pairs.length)}`)
}

function printPlace(judged: readonly Judged[]): void {
  const several: boolean[] = []
  for (const { item, verdict } of judged) {
    for (const [rule, places] of Object.entries(item.pointers)) {
      const found = verdict.violations.filter(({ rule_id }) => rule_id === rule)
      if (found.length > 0)
        several.push(
          found.some(({ pointer }) => places.some((place) => pointer === place || pointer.startsWith(`${place}/`))),
        )
    }
  }
  console.log(`a reported place is the labelled one: ${share(several.filter(Boolean).length, several.length)}`)
}

const { data } = parseArgs({ options: { data: { type: 'string' } } }).values
if (data === undefined) throw new Error('usage: npm run evaluate -- --data DIR')
await evaluate(data)
