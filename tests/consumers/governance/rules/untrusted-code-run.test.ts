// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { untrustedCodeRun } from '../../../../consumers/governance/rules/untrusted-code-run.ts'
import { packageWith, shell } from '../packages.ts'
import { onEvent, ruleCases, uses } from './cases.ts'

const head = uses('actions/checkout@v4', { with: { ref: '${{ github.event.pull_request.head.sha }}' } })

ruleCases(untrustedCodeRun, {
  finds: [
    onEvent('pull_request_target', [head, shell('npm install')]),
    onEvent('workflow_run', [
      uses('actions/checkout@v4', { with: { ref: '${{ github.event.workflow_run.head_sha }}' } }),
      shell('./build.sh'),
    ]),
    onEvent('issue_comment', [shell('gh pr checkout ${{ github.event.issue.number }}\nmake test')]),
    onEvent('pull_request', [shell('make test', { env: { KEY: '${{ secrets.KEY }}' } })], 'git'),
    packageWith([shell('./deploy ${event.version}')], { triggers: [{ type: 'webhook', config: { path: '/deploy' } }] }),
    packageWith([shell('kubectl -n shop scale deployment/web --replicas 0')], {
      triggers: [{ type: 'webhook', config: { path: '/stop', auth: 'none' } }],
    }),
  ],
  leaves: [
    onEvent('pull_request_target', [uses('actions/labeler@v5')]),
    onEvent('pull_request_target', [uses('actions/checkout@v4'), shell('npm ci')]),
    onEvent('push', [head, shell('npm install')]),
    onEvent('pull_request', [shell('git diff ${{ github.event.pull_request.head.sha }}'), shell('npm test')]),
    packageWith([shell('kubectl -n shop get pods')], { triggers: [{ type: 'webhook', config: { path: '/look' } }] }),
    packageWith([shell('./deploy ${event.version}')], {
      triggers: [{ type: 'webhook', config: { path: '/deploy', auth: 'bearer' } }],
    }),
  ],
})
