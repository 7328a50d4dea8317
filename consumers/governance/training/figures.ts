import { runRules } from '../judge.ts'
import { REVIEW_THRESHOLD } from '../risk.ts'
import type { Grade, Row } from './development-rows.ts'
import { EVERYDAY_COMMANDS } from './everyday-commands.ts'
import { type Judged, WAYS } from './judged-rows.ts'

/** One line of the table: how many of how many, and what is asked for. */
export type Figure = { figure: string; hits: number; of: number; target: string }

// Findings about the envelope say nothing about what a package does.
const ENVELOPE = new Set(['WPK-P2-001', 'WPK-P2-002', 'WPK-P2-009', 'WPK-P3-001', 'WPK-P3-002', 'WPK-P4-001'])

const weighs = ({ severity, rule_id }: Grade): boolean => severity !== 'low' && !ENVELOPE.has(rule_id)

/** Whether a risk makes a person look. */
export const flagged = (risk: number): boolean => risk >= REVIEW_THRESHOLD

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
    const group = judged.filter(({ row }) => row.tier === tier)
    const asked = (one: Grade) => tier === 'hygiene' || one.severity !== 'low'
    const own = group.filter(({ row }) => row.findings.some((one) => asked(one) && row.labels.includes(one.rule_id)))
    add(`${tier}: matching rule${tier === 'hygiene' ? '' : ', medium or more'}`, group, own.length, target)
    const any = group.filter(({ row }) => row.findings.some(weighs))
    add(`${tier}: any finding, medium or more`, group, any.length, '')
    for (const way of WAYS)
      add(`${tier}: risk >= ${REVIEW_THRESHOLD}, ${way}`, group, group.filter((one) => flagged(one[way])).length, '')
  }
  for (const [kind, target] of [
    ['real-benign', '<= 10 %'],
    ['paired-negative', ''],
  ] as const) {
    const group = judged.filter(({ row }) => row.kind === kind)
    for (const way of WAYS) {
      const asked = way === 'both' ? target : ''
      add(`${kind}: risk >= ${REVIEW_THRESHOLD}, ${way}`, group, group.filter((one) => flagged(one[way])).length, asked)
    }
    const critical = group.filter(({ row }) => row.findings.some(({ severity }) => severity === 'critical'))
    add(`${kind}: critical finding`, group, critical.length, kind === 'real-benign' ? '<= 2 %' : '')
  }
  const pairs = silencePairs(judged.map(({ row }) => row))
  add('paired negatives: named rule silent', pairs, pairs.filter(({ silent }) => silent).length, '>= 95 %')
  const places = judged.flatMap(({ row }) => row.places)
  add('place: at or inside the labelled one', places, places.filter(Boolean).length, '>= 90 %')
  return figures
}

/** Each rule that must stay silent on a package, and whether it does. */
export const silencePairs = (rows: readonly Row[]): { rule: string; sha256: string; silent: boolean }[] =>
  rows.flatMap(({ silent_for, findings, sha256 }) =>
    silent_for.map((rule) => ({ rule, sha256, silent: !findings.some(({ rule_id }) => rule_id === rule) })),
  )

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
