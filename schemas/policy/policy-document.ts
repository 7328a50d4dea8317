import { readdirSync, readFileSync } from 'node:fs'
import { type Static, Type } from '@sinclair/typebox'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { closed } from '../envelope.ts'
import { Confidence } from '../verdict.ts'

const AllowOrReview = Type.Union([Type.Literal('allow'), Type.Literal('review')])
const Review = Type.Literal('review')
const RuleId = Type.String({ pattern: '^WPK-P[1-6]-[0-9]{3}$' })

/**
 * What the machine does by itself and what a person decides. The conditions that no version may relax are constants. It
 * stands here because two rooms go by it: the analyzer says from which risk on a person looks, the marketplace decides.
 */
export const PolicyDocument = closed({
  version: Type.Integer({ minimum: 1 }),
  since: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }),
  summary: Type.String({ minLength: 1 }),
  risk: closed({ review_from: Type.Number({ exclusiveMinimum: 0, maximum: 1 }) }),
  findings: closed({
    by_severity: closed({ low: AllowOrReview, medium: AllowOrReview, high: AllowOrReview, critical: Review }),
    /** Stronger than the severity. `reject` is done by the machine; below `min_confidence` it asks for a review. */
    by_rule: Type.Record(
      RuleId,
      closed({ action: Type.Union([Review, Type.Literal('reject')]), min_confidence: Confidence }),
      { additionalProperties: false },
    ),
  }),
  analyzer: closed({ pass: AllowOrReview, review: Review, block: Review }),
  conditions: closed({
    /** P-3: what may run without a person is never approved by a machine. */
    runs_unattended: Review,
    signer_revoked: Review,
    first_version: AllowOrReview,
    new_capability: AllowOrReview,
    analysis_incomplete: Review,
  }),
  approvals: closed({
    needed: Type.Literal(1),
    needed_for_critical: Type.Literal(2),
    /** Rules whose finding one person answers by looking: that a package runs without asking anybody asks for just that. */
    one_is_enough_for: Type.Array(RuleId, { uniqueItems: true }),
  }),
  overrides: closed({ longest_days: Type.Integer({ minimum: 1, maximum: 730 }) }),
})
export type PolicyDocument = Static<typeof PolicyDocument>

const isPolicy = new Ajv2020({ strict: true, allowUnionTypes: true }).compile<PolicyDocument>(PolicyDocument)
const VERSIONS = new URL('./versions/', import.meta.url)

/** Every version that was in force, oldest first. Throws for a file that is none, and for a gap in the numbers. */
export function readPolicies(folder = VERSIONS): [PolicyDocument, ...PolicyDocument[]] {
  const numbers = readdirSync(folder)
    .map((name) => Number(/^([1-9]\d*)\.json$/.exec(name)?.[1] ?? Number.NaN))
    .sort((a, b) => a - b)
  const [first, ...others] = numbers.map((number, index) => {
    if (number !== index + 1) throw new Error(`the policy's versions are ${numbers.join(', ')}, not 1, 2, 3 …`)
    const document: unknown = JSON.parse(readFileSync(new URL(`${number}.json`, folder), 'utf8'))
    return validPolicy(document, number)
  })
  if (!first) throw new Error('there is no policy')
  return [first, ...others]
}

function validPolicy(document: unknown, number: number): PolicyDocument {
  if (!isPolicy(document)) {
    const [fault] = isPolicy.errors ?? []
    const member = fault?.params.additionalProperty === undefined ? '' : `/${fault.params.additionalProperty}`
    throw new Error(`policy ${number}: ${fault?.instancePath}${member} ${fault?.message}`)
  }
  const policy = document
  if (policy.version !== number) throw new Error(`policy ${number} calls itself ${policy.version}`)
  return policy
}

export const policies: readonly [PolicyDocument, ...PolicyDocument[]] = readPolicies()
/** The newest version: what is decided now is decided under it. */
export const currentPolicy: PolicyDocument = policies.at(-1) ?? policies[0]
