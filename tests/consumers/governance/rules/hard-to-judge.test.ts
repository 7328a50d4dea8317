// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { hardToJudge } from '../../../../consumers/governance/rules/hard-to-judge.ts'
import { packageWith, shell } from '../packages.ts'
import { config, python, ruleCases } from './cases.ts'

const many = (count: number) =>
  packageWith(Array.from({ length: count }, (_item, index) => shell(`make target-${index}`)))
const every = (cron: string) => packageWith([shell('make')], { triggers: [{ type: 'schedule', config: { cron } }] })

const script = (line: string) => `${line}\n`.repeat(20)
const documents = (count: number) =>
  packageWith([{ name: 'all', type: 'k8s', config: { manifest: 'kind: ConfigMap\n---\n'.repeat(count) } }])

ruleCases(hardToJudge, {
  finds: [
    many(101),
    '('.repeat(400),
    'make part\n'.repeat(5_500),
    documents(600),
    config({ interpreter: 'ruby', command: script("puts File.read('config.json').lines.first") }),
    `perl <<'EOF'\n${script('print "$ENV{HOME}\\n";')}\nEOF`,
    `php -r '${script('echo date("c");')}'`,
    config({ interpreter: 'groovy', command: script('println new File("a").text') }),
    python(`x = 1\n${'x = x + 1\n'.repeat(7_000)}`),
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
    "ruby -rjson -e 'puts JSON.parse(STDIN.read)[%q(version)]' < package.json",
    "perl -pi -e 's/1\\.0/1.1/g' Chart.yaml",
    config({ interpreter: 'php', command: 'echo phpversion();' }),
    config({ interpreter: 'bash', command: script('echo done') }),
    python(script('print("done")')),
    every('30 4 * * *'),
    packageWith([
      { name: 'wait', type: 'shell', config: {}, timeout: '300s', retry: { max_attempts: 3, backoff: '1s' } },
    ]),
  ],
})
