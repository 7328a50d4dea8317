import { readFileSync, writeFileSync } from 'node:fs'
import { FEATURE_NAMES } from '../features.ts'
import { runRules } from '../judge.ts'
import { isRisky, readRows, vectorOf } from './development-rows.ts'
import type { Sample } from './generate-samples.ts'

/** One line for the training. `group` is never split between training and judging; `made` tells samples from rows of real packages. */
type Line = { id: string; group: string; made: boolean; risky: boolean; features: number[] }

function lines(samplesFile: string): Line[] {
  const samples = readFileSync(samplesFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample)
  return [
    ...samples.map(({ id, family, risky, wpk }) => ({
      id: String(id),
      group: family,
      made: true,
      risky,
      features: [...runRules(wpk).features],
    })),
    ...readRows().map((row) => ({
      id: row.sha256,
      group: row.source,
      made: false,
      risky: isRisky(row),
      features: [...vectorOf(row)],
    })),
  ]
}

const [, , source, target] = process.argv
if (source === undefined || target === undefined) throw new Error('usage: extract-features.ts SAMPLES TARGET')
const all = lines(source)
writeFileSync(target, `${[{ features: FEATURE_NAMES }, ...all].map((line) => JSON.stringify(line)).join('\n')}\n`)
console.log(`${all.length} rows of ${FEATURE_NAMES.length} features written to ${target}`)
