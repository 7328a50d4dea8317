// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { mutationWithoutWayBack } from '../../../../consumers/governance/rules/mutation-without-way-back.ts'
import { packageWith, shell } from '../packages.ts'
import { ruleCases } from './cases.ts'

const change = { name: 'scale', type: 'k8s', config: { action: 'scale', target: 'deployment/web' } } as const
const read = { name: 'logs', type: 'k8s', config: { action: 'logs', target: 'pod/web' } } as const
const off = { mode: 'manual', approval_required: true, dry_run_required: false, rollback_enabled: false } as const
const on = { mode: 'manual', approval_required: true, dry_run_required: true, rollback_enabled: true } as const
const revoke = { name: 'revoke-old', type: 'api', config: { url: '${VAULT_ADDR}/v1/sys/leases/revoke' } } as const

ruleCases(mutationWithoutWayBack, {
  finds: [
    packageWith([{ ...change }], { safety: off }),
    packageWith([{ ...change }], { safety: { ...on, rollback_enabled: false } }),
    packageWith([shell('kubectl delete pod web-0')], { safety: off }),
    packageWith([{ ...revoke }, { ...change }], { safety: on, rollback: { enabled: true, handlers: [{ ...change }] } }),
  ],
  leaves: [
    packageWith([{ ...change }], { safety: on }),
    packageWith([{ ...read }], { safety: off }),
    packageWith([shell('kubectl get pods')], { safety: off }),
    packageWith([{ ...change }, { ...revoke }], { safety: on, rollback: { enabled: true, handlers: [{ ...change }] } }),
  ],
})
