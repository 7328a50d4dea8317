// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { cachePoisoning } from '../../../../consumers/governance/rules/cache-poisoning.ts'
import { packageWith, shell } from '../packages.ts'
import { onEvent, ruleCases, uses } from './cases.ts'

ruleCases(cachePoisoning, {
  finds: [
    onEvent('workflow_run', [uses('actions/download-artifact@v4'), shell('npm publish')]),
    onEvent('workflow_run', [shell('gh run download 12'), shell('./dist/install.sh')]),
    onEvent('release', [uses('actions/cache@v4'), shell('npm publish')]),
  ],
  leaves: [
    onEvent('push', [uses('actions/cache@v4'), shell('npm test')]),
    onEvent('release', [shell('npm publish')]),
    onEvent('workflow_run', [uses('actions/download-artifact@v4')]),
    packageWith([uses('actions/download-artifact@v4'), shell('npm publish')]),
  ],
})
