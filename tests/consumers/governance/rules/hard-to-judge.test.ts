// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { hardToJudge } from '../../../../consumers/governance/rules/hard-to-judge.ts'
import { packageWith, shell } from '../packages.ts'
import { ruleCases } from './cases.ts'

const many = (count: number) =>
  packageWith(Array.from({ length: count }, (_item, index) => shell(`make target-${index}`)))
const every = (cron: string) => packageWith([shell('make')], { triggers: [{ type: 'schedule', config: { cron } }] })

ruleCases(hardToJudge, {
  finds: [
    many(101),
    '('.repeat(400),
    every('* * * * *'),
    packageWith([
      { name: 'wait', type: 'shell', config: {}, timeout: '10h', retry: { max_attempts: 5, backoff: '1s' } },
    ]),
  ],
  leaves: [
    many(40),
    '(a; (b; (c)))',
    every('30 4 * * *'),
    packageWith([
      { name: 'wait', type: 'shell', config: {}, timeout: '300s', retry: { max_attempts: 3, backoff: '1s' } },
    ]),
  ],
})
