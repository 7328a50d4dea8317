import { nameSimilarity } from '../../../../consumers/governance/rules/name-similarity.ts'
import { originCases } from './cases.ts'

originCases(nameSimilarity, {
  finds: [
    { signature: 'verified', signer: 'registered', alike: { name: 'restart-unhealthy' } },
    // A private name of somebody else: that there is one, and not which.
    { signature: 'verified', signer: 'registered', alike: {} },
    { signature: 'not_judged', signer: 'not_registered', alike: { name: 'backup-verify' } },
  ],
  leaves: [
    { signature: 'verified', signer: 'registered' },
    { signature: 'missing', signer: 'not_judged', detail: 'looks like nothing' },
    { signature: 'not_judged', signer: 'not_registered' },
  ],
})
