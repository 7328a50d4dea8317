import { type Static, Type } from '@sinclair/typebox'

/** What judges: two verdicts on the same bytes by the same rule set and model are the same verdict. */
export const AnalyzerIdentity = Type.Object(
  {
    ruleset: Type.String({ minLength: 1, maxLength: 64 }),
    model_version: Type.String({ minLength: 1, maxLength: 64 }),
    model_sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  },
  { additionalProperties: false },
)
export type AnalyzerIdentity = Static<typeof AnalyzerIdentity>

export const analyzerExample: AnalyzerIdentity = {
  ruleset: 'rules-0123456789abcdef',
  model_version: '2.0.0',
  model_sha256: 'b'.repeat(64),
}
