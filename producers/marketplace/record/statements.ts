import { createHash } from 'node:crypto'
import { canonicalJson } from '../../../platform/canonical-json.ts'
import type { Verdict } from '../../../schemas/verdict.ts'

export const VERDICT_TYPE = 'atom:attestation:verdict:1'
export const DECISION_TYPE = 'atom:attestation:decision:1'

/** What a statement says of a package version. */
export type Judged = { id: string; org: string; name: string; version: string; digest: string; verdict: Verdict | null }
export type Decided = {
  decision: string
  approver: string
  approver_kind: 'person' | 'machine'
  justification: string
  before_sha256: string
  after_sha256: string
  decided_at: Date
  /** The publishing policy it was made under; null for decisions older than its versions. */
  policy_version: number | null
  /** Findings that the approval accepted for later versions. */
  accepted: { fingerprint: string; owner: string; reason: string; expires_at: string }[]
}

/** The analyzer's verdict as an in-toto statement about the package's bytes. */
export const verdictStatement = (judged: Judged): string =>
  statement(judged, VERDICT_TYPE, { package: packageOf(judged), ...madeWith(judged) })

/** A decision: who, why, on which verdict, and the hashes of the record before and after (P-3). */
export const decisionStatement = (judged: Judged, decided: Decided): string =>
  statement(judged, DECISION_TYPE, {
    package: packageOf(judged),
    decision: decided.decision,
    approver: decided.approver,
    approver_kind: decided.approver_kind,
    justification: decided.justification,
    before: decided.before_sha256,
    after: decided.after_sha256,
    decided_at: decided.decided_at.toISOString(),
    ...(decided.policy_version === null ? {} : { policy_version: decided.policy_version }),
    ...(decided.accepted.length === 0 ? {} : { accepted: decided.accepted }),
    verdict: madeWith(judged),
  })

function statement({ name, version, digest }: Judged, predicateType: string, predicate: object): string {
  const sha256 = digest.replace(/^sha256:/, '')
  return canonicalJson({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: `${name}@${version}`, digest: { sha256 } }],
    predicateType,
    predicate,
  })
}

const packageOf = ({ id, org, name, version }: Judged) => ({ id, publisher: org, name, version })

/** The verdict by its hashes; the findings themselves are in `GET /wpk/{id}/verdict`. */
const madeWith = ({ verdict }: Judged) =>
  verdict && {
    decision: verdict.decision,
    ...(verdict.policy_version === undefined ? {} : { policy_version: verdict.policy_version }),
    risk_score: verdict.risk_score,
    ruleset: verdict.ruleset,
    model: verdict.model,
    checks: verdict.checks,
    capabilities: verdict.capabilities,
    findings: verdict.violations.length,
    findings_sha256: createHash('sha256').update(canonicalJson(verdict.violations)).digest('hex'),
  }
