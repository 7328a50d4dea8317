// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { unsoundGuard } from '../../../../consumers/governance/rules/unsound-guard.ts'
import { config, ruleCases } from './cases.ts'

const guarded = (condition: string) => config({ command: 'make', condition })

ruleCases(unsoundGuard, {
  finds: [
    guarded('${{ github.ref == "refs/heads/main" }} == "x" '),
    guarded('${{ github.event == "a" }}\n'),
    guarded("github.actor == 'release-bot'"),
    guarded("contains('refs/heads/main refs/heads/dev', github.ref)"),
    guarded('true'),
  ],
  leaves: [
    guarded('${{ github.ref == "refs/heads/main" }}'),
    guarded("github.event_name == 'push'"),
    guarded('failure()'),
    guarded('kube_pod_status_ready{condition="false"} == 1'),
  ],
})
