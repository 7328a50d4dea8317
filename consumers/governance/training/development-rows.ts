import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Confidence, Severity } from '../../../schemas/verdict.ts'
import { FEATURE_NAMES } from '../features.ts'
import { type RuleResult, runRules } from '../judge.ts'
import { RULESET } from '../rules/index.ts'
import { type LabelledItem, labelledItems } from './labelled-items.ts'

/** What a rule said, without its words and place. */
export type Grade = { rule_id: string; severity: Severity; confidence: Confidence }

/**
 * What may be kept of a labelled package of somebody else: its digest, where it comes from, its labels, and what the
 * analyzer made of it. `places`: for each labelled rule that fired and whose place is known, whether it is at that place.
 */
export type Row = {
  sha256: string
  source: string
  family: string
  kind: string
  tier: string | null
  labels: string[]
  silent_for: string[]
  places: boolean[]
  findings: Grade[]
  /** By name; a feature that is not named is 0. */
  features: Record<string, number>
}

/** Malicious and vulnerable packages are what a person must see; hygiene must not hold a package. */
export const isRisky = ({ tier }: Pick<Row, 'tier'>): boolean => tier === 'malicious' || tier === 'vulnerable'

/** A row of the file from what the rules found in a labelled package. */
export function rowOf({ item, content }: LabelledItem, { violations, features }: RuleResult): Row {
  const grades = new Map<string, Grade>()
  for (const { rule_id, severity, confidence } of violations)
    grades.set(`${rule_id} ${severity} ${confidence}`, { rule_id, severity, confidence })
  return {
    sha256: createHash('sha256').update(content).digest('hex'),
    source: item.source.repo,
    family: item.family,
    kind: item.kind,
    tier: item.tier,
    labels: item.labels,
    silent_for: item.negative_for.filter((rule) => item.negative_disputed?.[rule] === undefined),
    places: Object.entries(item.pointers).flatMap(([rule, places]) => {
      const found = violations.filter(({ rule_id }) => rule_id === rule)
      if (found.length === 0) return []
      return [found.some(({ pointer }) => places.some((place) => pointer === place || pointer.startsWith(`${place}/`)))]
    }),
    findings: [...grades.keys()].sort().flatMap((key) => grades.get(key) ?? []),
    features: Object.fromEntries(
      FEATURE_NAMES.flatMap((name, index) => (features[index] ? [[name, decimal(features[index])]] : [])),
    ),
  }
}

// 0.6 and not the 0.6000000238418579 of four bytes; read into four bytes again it is the same number.
const decimal = (value: number): number => Math.round(value * 10_000) / 10_000

/** The feature vector of a row, in the order of `FEATURE_NAMES`. */
export const vectorOf = ({ features }: Row): Float32Array =>
  Float32Array.from(FEATURE_NAMES, (name) => features[name] ?? 0)

/** The text of the file: what made it, then one line a package. The rule set is named, because rows of another one are stale. */
export function rowsText(directory: string): string {
  const { items, sha256 } = labelledItems(directory)
  const rows = items.map((one) => rowOf(one, runRules(one.wpk)))
  const header = { data_sha256: sha256, ruleset: RULESET, features: FEATURE_NAMES }
  return `${[header, ...rows].map((line) => JSON.stringify(line)).join('\n')}\n`
}

export const ROWS_FILE = new URL('./development_rows.jsonl', import.meta.url)

/** The committed rows. Throws when another rule set or list of features made them: the model would learn what is not served. */
export function readRows(): Row[] {
  const [header, ...lines] = readFileSync(ROWS_FILE, 'utf8').trim().split('\n')
  const { ruleset, features } = JSON.parse(header ?? '{}') as { ruleset?: string; features?: string[] }
  if (ruleset !== RULESET || features?.join('\n') !== FEATURE_NAMES.join('\n'))
    throw new Error(
      'development_rows.jsonl was made by other rules: run `npm run train -- --data DIR` with the labelled packages',
    )
  return lines.map((line) => JSON.parse(line) as Row)
}

const directory = process.argv[2]
if (directory !== undefined && import.meta.url === new URL(process.argv[1] ?? '', 'file:').href) {
  writeFileSync(ROWS_FILE, rowsText(directory))
  console.log(`${readRows().length} rows written to ${ROWS_FILE.pathname}`)
}
