import type { OriginRule } from './rule.ts'

/** WPK-P2-001: the signature over the bytes is missing or does not verify. */
export const signatureFault: OriginRule = {
  id: 'WPK-P2-001',
  version: 2,
  name: 'signature missing or invalid',
  severity: 'critical',
  about:
    'What the marketplace’s own check of the signature over the exact bytes says (`origin.signature` of `wpk.submitted` and `rescan.requested`). It refuses an upload without a good signature (`signature_missing`, `signature_invalid`, `bundle_malformed`: `producers/marketplace/trust/verify-signature.ts`), and checks what it has stored again before each new verdict: a signature that no longer verifies, because a certificate authority or a log is no longer trusted, is reported then. `/analyze` sees bare content and names the check as not run; an empty `metadata.signature` is no finding.',
  remediation: 'Sign the exact bytes with cosign and upload the bundle beside them as a new version.',
  hygiene: false,
  check: ({ signature, detail }) =>
    signature === 'missing' || signature === 'invalid'
      ? [
          {
            pointer: '/metadata',
            severity: 'critical',
            confidence: 'high',
            message: `the signature is ${signature}${detail === undefined ? '' : `: ${detail}`}`,
            matched: `signature ${signature}`,
          },
        ]
      : [],
}
