import { capabilitiesOf } from '../capabilities.ts'
import type { PackageView } from '../package-view.ts'
import type { Finding, Rule } from './rule.ts'

const CHANGES = new Set(['mutates_cluster', 'writes_secret', 'changes_access'])
const IRREVERSIBLE = /^(?:revoke|purge|destroy|wipe|drop|expire)/i

/** WPK-P3-002: it changes things and can neither be tried nor undone. */
export const mutationWithoutWayBack: Rule = {
  id: 'WPK-P3-002',
  version: 1,
  name: 'mutation without dry run or rollback',
  severity: 'medium',
  about:
    'Handlers that change the cluster, secrets or access while `dry_run_required` and rollback are both off (medium), or one of them (low); and an irreversible step such as a revocation before later steps have proved the new state. Packages that only read are silent.',
  remediation: 'Require a dry run, and add rollback handlers that can still succeed at that point.',
  hygiene: false,
  check: (view) => [...withoutWayBack(view), ...irreversible(view)],
}

function withoutWayBack(view: PackageView): Finding[] {
  const { safety, rollback } = view.wpk.spec
  if (!capabilitiesOf(view).some((name) => CHANGES.has(name))) return []
  const dryRun = safety?.dry_run_required === true
  const back = safety?.rollback_enabled === true || rollback?.enabled === true
  if (dryRun && back) return []
  const both = !dryRun && !back
  return [
    {
      pointer: safety === undefined ? '/spec' : '/spec/safety',
      severity: both ? 'medium' : 'low',
      // What was switched off on purpose is surer than what was left out.
      confidence: both && safety?.dry_run_required === false ? 'medium' : 'low',
      message: `the package changes things without ${both ? 'dry run and rollback' : dryRun ? 'rollback' : 'dry run'}`,
      matched: `changes without${dryRun ? '' : ' dry run'}${back ? '' : ' rollback'}`,
    },
  ]
}

function irreversible({ wpk }: PackageView): Finding[] {
  const { handlers, rollback } = wpk.spec
  if ((rollback?.handlers ?? []).length === 0) return []
  const index = handlers.findIndex(({ name, config }) => {
    const url = typeof config?.url === 'string' ? config.url : ''
    return IRREVERSIBLE.test(name) || IRREVERSIBLE.test(String(config?.action ?? '')) || /\/revoke\b/.test(url)
  })
  if (index === -1 || index === handlers.length - 1) return []
  return [
    {
      pointer: `/spec/handlers/${index}`,
      severity: 'medium',
      confidence: 'low',
      message: 'an irreversible step comes before the last one: after it, rollback has nothing to go back to',
      matched: `irreversible ${handlers[index]?.name ?? ''}`,
    },
  ]
}
