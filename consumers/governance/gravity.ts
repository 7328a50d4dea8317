import type { Violation } from '../../schemas/verdict.ts'

const SEVERITY_ORDER = { critical: 0, high: 1, medium: 2, low: 3 } as const

/** Worst first, then by rule and place: the order says nothing else and must not vary. */
export const byGravity = (a: Violation, b: Violation): number =>
  SEVERITY_ORDER[a.severity] - SEVERITY_ORDER[b.severity] ||
  compare(a.rule_id, b.rule_id) ||
  compare(a.pointer, b.pointer) ||
  compare(a.fingerprint, b.fingerprint)

/** By code unit, the same on every machine. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
