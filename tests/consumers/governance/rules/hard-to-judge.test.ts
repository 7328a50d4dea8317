// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { hardToJudge } from '../../../../consumers/governance/rules/hard-to-judge.ts'
import { packageWith, shell } from '../packages.ts'
import { ruleCases } from './cases.ts'

const many = (count: number) =>
  packageWith(Array.from({ length: count }, (_item, index) => shell(`make target-${index}`)))
const every = (cron: string) => packageWith([shell('make')], { triggers: [{ type: 'schedule', config: { cron } }] })

const documents = (count: number) =>
  packageWith([{ name: 'all', type: 'k8s', config: { manifest: 'kind: ConfigMap\n---\n'.repeat(count) } }])

ruleCases(hardToJudge, {
  finds: [
    many(101),
    '('.repeat(400),
    'make part\n'.repeat(5_500),
    documents(600),
    every('* * * * *'),
    packageWith([
      { name: 'wait', type: 'shell', config: {}, timeout: '10h', retry: { max_attempts: 5, backoff: '1s' } },
    ]),
  ],
  leaves: [
    many(40),
    '(a; (b; (c)))',
    'make part\n'.repeat(1_000),
    documents(40),
    every('30 4 * * *'),
    packageWith([
      { name: 'wait', type: 'shell', config: {}, timeout: '300s', retry: { max_attempts: 3, backoff: '1s' } },
    ]),
  ],
})
