import type { Violation } from '../../../schemas/verdict.ts'
import { runRules } from '../judge.ts'
import { REVIEW_THRESHOLD } from '../risk.ts'
import { EVERYDAY_COMMANDS } from './everyday-commands.ts'
import type { Judged } from './labelled-items.ts'

/** One line of the table: how many of how many, and what is asked for. */
export type Figure = { figure: string; hits: number; of: number; target: string }

// Findings about the envelope say nothing about what a package does.
const ENVELOPE = new Set(['WPK-P2-001', 'WPK-P2-002', 'WPK-P2-009', 'WPK-P3-001', 'WPK-P3-002', 'WPK-P4-001'])
const WAYS = ['rules', 'model', 'both'] as const

const weighs = ({ severity, rule_id }: Violation): boolean => severity !== 'low' && !ENVELOPE.has(rule_id)
const flagged = (risk: number): boolean => risk >= REVIEW_THRESHOLD

/** The figures of a group of packages; a line without items has `of` 0. */
export function figuresOf(judged: readonly Judged[]): Figure[] {
  const figures: Figure[] = []
  const add = (figure: string, group: readonly unknown[], hits: number, target: string) =>
    figures.push({ figure, hits, of: group.length, target })
  for (const [tier, target] of [
    ['malicious', '>= 90 %'],
    ['vulnerable', '>= 75 %'],
    ['hygiene', ''],
  ] as const) {
    const group = judged.filter(({ item }) => item.tier === tier)
    const asked = (one: Violation) => tier === 'hygiene' || one.severity !== 'low'
    const own = group.filter(({ item, violations }) =>
      violations.some((one) => asked(one) && item.labels.includes(one.rule_id)),
    )
    add(`${tier}: matching rule${tier === 'hygiene' ? '' : ', medium or more'}`, group, own.length, target)
    add(`${tier}: any finding, medium or more`, group, group.filter((one) => one.violations.some(weighs)).length, '')
    for (const way of WAYS)
      add(`${tier}: risk >= ${REVIEW_THRESHOLD}, ${way}`, group, group.filter((one) => flagged(one[way])).length, '')
  }
  for (const [kind, target] of [
    ['real-benign', '<= 10 %'],
    ['paired-negative', ''],
  ] as const) {
    const group = judged.filter(({ item }) => item.kind === kind)
    for (const way of WAYS) {
      const asked = way === 'both' ? target : ''
      add(`${kind}: risk >= ${REVIEW_THRESHOLD}, ${way}`, group, group.filter((one) => flagged(one[way])).length, asked)
    }
    const critical = group.filter(({ violations }) => violations.some(({ severity }) => severity === 'critical'))
    add(`${kind}: critical finding`, group, critical.length, kind === 'real-benign' ? '<= 2 %' : '')
  }
  const pairs = silencePairs(judged)
  add('paired negatives: named rule silent', pairs, pairs.filter(({ silent }) => silent).length, '>= 95 %')
  const places = placesOf(judged)
  add('place: at or inside the labelled one', places, places.filter(Boolean).length, '>= 90 %')
  return figures
}

/** Each rule that must stay silent on an item, and whether it does; disputed pairs are left out. */
export const silencePairs = (judged: readonly Judged[]): { rule: string; file: string; silent: boolean }[] =>
  judged.flatMap(({ item, violations }) =>
    item.negative_for
      .filter((rule) => item.negative_disputed?.[rule] === undefined)
      .map((rule) => ({ rule, file: item.file, silent: !violations.some(({ rule_id }) => rule_id === rule) })),
  )

/** Where a labelled rule fired and its place is known: whether one finding of it is there. */
function placesOf(judged: readonly Judged[]): boolean[] {
  return judged.flatMap(({ item, violations }) =>
    Object.entries(item.pointers).flatMap(([rule, places]) => {
      const found = violations.filter(({ rule_id }) => rule_id === rule)
      if (found.length === 0) return []
      return [found.some(({ pointer }) => places.some((place) => pointer === place || pointer.startsWith(`${place}/`)))]
    }),
  )
}

/** A quantile of sorted milliseconds, as text. */
export const quantile = (sorted: readonly number[], q: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(3)

const BANDS = [0, 0.1, 0.3, 0.6, 0.9]

/** Packages by their risk: how many of a band are malicious or vulnerable, and the average risk that was said of them. */
export const reliabilityOf = (judged: readonly Judged[]): { band: string; mean: string; hits: number; of: number }[] =>
  BANDS.map((from, index) => {
    const to = BANDS[index + 1] ?? 1.01
    const group = judged.filter(({ both }) => both >= from && both < to)
    const hits = group.filter(({ item }) => item.tier === 'malicious' || item.tier === 'vulnerable').length
    const mean = group.length === 0 ? '-' : (group.reduce((sum, { both }) => sum + both, 0) / group.length).toFixed(2)
    return { band: `${from} to ${Math.min(to, 1)}`, mean, hits, of: group.length }
  }).filter(({ of }) => of > 0)

/** Commands as manuals show them, one a package: how many a rule calls critical. */
export function criticalExamples(): { hits: number; of: number } {
  const hits = EVERYDAY_COMMANDS.filter((command) =>
    runRules({
      apiVersion: 'v1',
      kind: 'WorkflowPackage',
      metadata: { name: 'example', version: '1.0.0' },
      spec: {
        safety: { mode: 'manual', approval_required: true },
        handlers: [{ name: 'step', type: 'shell', config: { command } }],
      },
    }).violations.some(({ severity }) => severity === 'critical'),
  ).length
  return { hits, of: EVERYDAY_COMMANDS.length }
}
