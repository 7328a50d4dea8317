import { signatureFault } from '../../../../consumers/governance/rules/signature-fault.ts'
import { originCases } from './cases.ts'

originCases(signatureFault, {
  finds: [
    { signature: 'missing', signer: 'not_judged', detail: 'send `bundle` or `signature` beside the content' },
    { signature: 'invalid', signer: 'not_judged', detail: 'the certificate is of an authority that nobody trusts now' },
    { signature: 'invalid', signer: 'not_judged' },
  ],
  leaves: [
    { signature: 'verified', signer: 'registered' },
    { signature: 'verified', signer: 'registered', alike: { name: 'restart-workers' } },
    // Who signed does not count, so nobody looked at what was signed: that is for WPK-P2-002 to say.
    { signature: 'not_judged', signer: 'not_registered', detail: 'revoked from 2026-01-01T00:00:00Z' },
  ],
})
