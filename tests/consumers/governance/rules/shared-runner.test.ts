// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { sharedRunner } from '../../../../consumers/governance/rules/shared-runner.ts'
import { shell } from '../packages.ts'
import { onEvent, ruleCases } from './cases.ts'

ruleCases(sharedRunner, {
  finds: [
    onEvent('pull_request', [shell('make', { runner: 'self-hosted' })]),
    onEvent('pull_request_target', [shell('make', { runner: ['self-hosted', 'linux'] })]),
    onEvent('push', [shell('make', { runner: 'self-hosted' })]),
  ],
  leaves: [
    onEvent('pull_request', [shell('make', { runner: 'ubuntu-latest' })]),
    onEvent('push', [shell('make')]),
    onEvent('pull_request', [shell('echo self-hosted', { runner: 'ubuntu-22.04' })]),
  ],
})
