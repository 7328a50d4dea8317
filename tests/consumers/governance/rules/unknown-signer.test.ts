import { unknownSigner } from '../../../../consumers/governance/rules/unknown-signer.ts'
import { originCases } from './cases.ts'

originCases(unknownSigner, {
  finds: [
    { signature: 'not_judged', signer: 'not_registered', detail: 'key k1 is revoked from before it signed' },
    { signature: 'not_judged', signer: 'not_registered', detail: 'the identity is not one of the organisation' },
    { signature: 'not_judged', signer: 'not_registered', alike: {} },
  ],
  leaves: [
    { signature: 'verified', signer: 'registered' },
    { signature: 'invalid', signer: 'not_judged', detail: 'not over these bytes' },
    { signature: 'missing', signer: 'not_judged' },
  ],
})
