import { type Static, Type } from '@sinclair/typebox'

const closed = { additionalProperties: false }

export const Severity = Type.Union([
  Type.Literal('low'),
  Type.Literal('medium'),
  Type.Literal('high'),
  Type.Literal('critical'),
])

export const Confidence = Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')])

/** Part of the text at a pointer: UTF-16 positions, `end` exclusive. */
export const ValueRange = Type.Object(
  { start: Type.Integer({ minimum: 0 }), end: Type.Integer({ minimum: 0 }) },
  closed,
)

/** One station of data on their way: where they were read, what they passed, where they leave. */
export const FlowStep = Type.Object(
  {
    role: Type.Union([Type.Literal('source'), Type.Literal('transform'), Type.Literal('sink')]),
    pointer: Type.String({ maxLength: 4096 }),
    range: Type.Optional(ValueRange),
  },
  closed,
)

/** Who of the operator accepted a finding, why, and until when. */
export const Suppressed = Type.Object(
  {
    owner: Type.String({ minLength: 1, maxLength: 200 }),
    reason: Type.String({ minLength: 1, maxLength: 500 }),
    /** The last day on which it counts (UTC). */
    expires: Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }),
  },
  closed,
)

/** One finding. `pointer` (RFC 6901) is the place of the matched value or lies inside it. */
export const Violation = Type.Object(
  {
    rule_id: Type.String({ pattern: '^WPK-P[1-6]-[0-9]{3}$' }),
    policy: Type.String({ pattern: '^P-[1-6]$' }),
    severity: Severity,
    confidence: Confidence,
    pointer: Type.String({ maxLength: 4096 }),
    message: Type.String({ minLength: 1, maxLength: 500 }),
    remediation: Type.String({ minLength: 1, maxLength: 500 }),
    /** sha256 over rule and matched fact, without the place: the same finding keeps it when handlers move. */
    fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    /** The part of the value that was matched, where the value shows it. */
    range: Type.Optional(ValueRange),
    /** From the first source to the sink, when the finding is about data that move. */
    flow: Type.Optional(Type.Array(FlowStep, { maxItems: 10 })),
    /** Accepted by the operator until a day: still reported, by whom and why. */
    suppressed: Type.Optional(Suppressed),
  },
  closed,
)

export const CapabilityKind = Type.Union([
  Type.Literal('reads_secret'),
  Type.Literal('network_out'),
  Type.Literal('executes_download'),
  Type.Literal('writes_outside'),
  Type.Literal('privilege'),
  Type.Literal('persistence'),
  Type.Literal('destroys'),
  Type.Literal('decodes'),
  Type.Literal('spawns'),
  Type.Literal('installs'),
])

/** One thing that a package can do, at its place. `detail` is the host, path, program or package; secrets are masked. */
export const CapabilityDetail = Type.Object(
  {
    kind: CapabilityKind,
    pointer: Type.String({ maxLength: 4096 }),
    range: Type.Optional(ValueRange),
    detail: Type.String({ minLength: 1, maxLength: 200 }),
  },
  closed,
)

/** One check and whether it took part: a check that could not run must not read as a clean result. */
export const VerdictCheck = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    version: Type.String({ minLength: 1, maxLength: 64 }),
    status: Type.Union([Type.Literal('ran'), Type.Literal('failed'), Type.Literal('unavailable')]),
    /** What it looked at. */
    on: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    /** Why it did not run, or who ran it. */
    detail: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  },
  closed,
)

/** What a feature of the package, the rules (`rules`) or a limit (`bound`) added to the risk, in its log odds. */
export const Contribution = Type.Object(
  { feature: Type.String({ minLength: 1, maxLength: 64 }), log_odds: Type.Number() },
  closed,
)

/** What the analyzer says of one package. It is a pure function of bytes, ruleset, model and policy. */
export const Verdict = Type.Object(
  {
    risk_score: Type.Number({ minimum: 0, maximum: 1 }),
    decision: Type.Union([Type.Literal('pass'), Type.Literal('review'), Type.Literal('block')]),
    /** Of the publishing policy whose risk threshold `decision` goes by; absent in verdicts that are older than this member. */
    policy_version: Type.Optional(Type.Integer({ minimum: 1 })),
    violations: Type.Array(Violation),
    capabilities: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_]*$' }), { uniqueItems: true }),
    digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
    ruleset: Type.String({ minLength: 1, maxLength: 64 }),
    model: Type.Union([
      Type.Object(
        { version: Type.String({ minLength: 1 }), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) },
        closed,
      ),
      Type.Null(),
    ]),
    checks: Type.Array(VerdictCheck),
    /** What moved the risk, largest first; none without a model. */
    contributions: Type.Optional(Type.Array(Contribution)),
    /** What the package can do and where, in the order of the document; at most 200 are listed. */
    capability_details: Type.Optional(Type.Array(CapabilityDetail, { maxItems: 200 })),
  },
  { ...closed, $id: 'atom:verdict:v1', title: 'Verdict' },
)

export type Severity = Static<typeof Severity>
export type Confidence = Static<typeof Confidence>
export type Violation = Static<typeof Violation>
export type Contribution = Static<typeof Contribution>
export type ValueRange = Static<typeof ValueRange>
export type FlowStep = Static<typeof FlowStep>
export type CapabilityKind = Static<typeof CapabilityKind>
export type CapabilityDetail = Static<typeof CapabilityDetail>
export type VerdictCheck = Static<typeof VerdictCheck>
export type Verdict = Static<typeof Verdict>
