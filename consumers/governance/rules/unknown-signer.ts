import type { OriginRule } from './rule.ts'

/** WPK-P2-002: who signed is no signer of the organisation, or was revoked before it signed. */
export const unknownSigner: OriginRule = {
  id: 'WPK-P2-002',
  version: 2,
  name: 'signer not authorised',
  severity: 'critical',
  about:
    'Whether the key or identity that signed counts for the organisation at the time of the signature (`origin.signer` of `wpk.submitted` and `rescan.requested`). The marketplace refuses an upload by another signer (`signer_not_registered`: `producers/marketplace/trust/verify-signature.ts`), and looks again before each new verdict on what it has stored: a signer that was revoked from a moment before it signed is reported then. A key that was replaced and signed inside its time is silent. `/analyze` sees bare content and names the check as not run.',
  remediation: 'Register the signer and sign again; after a leak, see what else the revoked signer signed.',
  hygiene: false,
  check: ({ signer, detail }) =>
    signer === 'not_registered'
      ? [
          {
            pointer: '/metadata',
            severity: 'critical',
            confidence: 'high',
            message: `the signer does not count for the organisation${detail === undefined ? '' : `: ${detail}`}`,
            matched: 'signer not registered',
          },
        ]
      : [],
}
