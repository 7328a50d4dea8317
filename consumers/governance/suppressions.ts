import { readFileSync } from 'node:fs'
import { type Static, Type } from '@sinclair/typebox'
import { checked } from '../../platform/http/validate.ts'
import { Suppressed, type Verdict, type Violation } from '../../schemas/verdict.ts'

/** Where the operator keeps what it accepts: policy as data, reviewed like code. A package cannot add to it. */
export const SUPPRESSIONS_FILE = 'docs/policies/suppressions.json'

const Suppression = Type.Composite(
  [
    Type.Object({
      rule_id: Type.String({ pattern: '^WPK-P[1-6]-[0-9]{3}$' }),
      fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
    Suppressed,
  ],
  { additionalProperties: false },
)
const SuppressionList = Type.Object({ suppressions: Type.Array(Suppression) }, { additionalProperties: false })
export type Suppression = Static<typeof Suppression>

/** The operator's list. Throws when an entry lacks its owner, reason or day. */
export const readSuppressions = (file = new URL(`../../${SUPPRESSIONS_FILE}`, import.meta.url)): Suppression[] =>
  checked(SuppressionList, JSON.parse(readFileSync(file, 'utf8'))).suppressions

/**
 * The verdict with accepted findings marked. Risk and decision stay: they are a function of the bytes, and what a person
 * accepts is decided in the review. An entry that has expired marks nothing.
 */
export function withSuppressions(verdict: Verdict, list: readonly Suppression[], now: Date): Verdict {
  if (list.length === 0) return verdict
  return { ...verdict, violations: verdict.violations.map((one) => marked(one, list, now)) }
}

function marked(one: Violation, list: readonly Suppression[], now: Date): Violation {
  const found = list.find(
    ({ rule_id, fingerprint, expires }) =>
      rule_id === one.rule_id && fingerprint === one.fingerprint && expires >= now.toISOString().slice(0, 10),
  )
  if (found === undefined) return one
  const { owner, reason, expires } = found
  return { ...one, suppressed: { owner, reason, expires } }
}
