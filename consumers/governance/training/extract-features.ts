import { readFileSync, writeFileSync } from 'node:fs'
import { FEATURE_NAMES } from '../features.ts'
import { runRules } from '../judge.ts'
import type { Sample } from './generate-samples.ts'

/** Reads policy_samples.jsonl and writes one line a sample: family, base, label and the features the analyzer itself draws. */
function extract(source: string, target: string): number {
  const samples = readFileSync(source, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample)
  const rows = samples.map((sample) => {
    const { features } = runRules(sample.wpk)
    return JSON.stringify({
      id: sample.id,
      family: sample.family,
      base: sample.base,
      risky: sample.risky,
      features: [...features],
    })
  })
  writeFileSync(target, `${JSON.stringify({ features: FEATURE_NAMES })}\n${rows.join('\n')}\n`)
  return rows.length
}

const [, , source, target] = process.argv
if (source === undefined || target === undefined) throw new Error('usage: extract-features.ts SAMPLES TARGET')
console.log(`${extract(source, target)} rows of ${FEATURE_NAMES.length} features written to ${target}`)
