// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { weakHardening } from '../../../../consumers/governance/rules/weak-hardening.ts'
import { manifest, pod, ruleCases } from './cases.ts'

const hard = { runAsNonRoot: true, readOnlyRootFilesystem: true, seccompProfile: { type: 'RuntimeDefault' } }

ruleCases(weakHardening, {
  finds: [
    pod({}, { securityContext: { ...hard, runAsUser: 0 } }),
    pod({}, { securityContext: { ...hard, seccompProfile: { type: 'Unconfined' } } }),
    pod({}),
    pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '65536' }] } }, { securityContext: hard }),
  ],
  leaves: [
    pod({}, { securityContext: hard }),
    pod(
      { securityContext: { runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } } },
      { securityContext: { readOnlyRootFilesystem: true } },
    ),
    manifest({ apiVersion: 'v1', kind: 'ConfigMap', data: {} }),
    'docker run tool',
  ],
})
