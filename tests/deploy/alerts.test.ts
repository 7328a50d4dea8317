import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { parse } from 'yaml'
import { OPEN_LIMIT_SECONDS } from '../../platform/bus/open-writer.ts'
import { sourceFiles } from '../architecture/imports.ts'

type Rule = { alert: string; expr: string; labels: object; annotations: { summary: string; runbook: string } }
const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')

describe('deploy/alerts', () => {
  const { groups } = parse(read('deploy/alerts/atom.yml')) as { groups: { name: string; rules: Rule[] }[] }
  const rules = groups.flatMap((one) => one.rules)
  const code = sourceFiles(root)
    .filter(({ path }) => !path.startsWith('tests/'))
    .map(({ text }) => text)
    .join('\n')

  it('has rules', () => expect(rules.map(({ alert }) => alert)).to.include('AtomOpenTransaction'))

  for (const { alert, expr, annotations } of rules)
    describe(alert, () => {
      it('asks for metrics that the code sets', () => {
        const names = expr.match(/\batom_[a-z_]+/g) ?? []
        expect(names).not.to.have.length(0)
        for (const name of names) expect(code, name).to.contain(`'${name}'`)
      })

      it('names a section of a runbook', () => {
        const [path, at] = annotations.runbook.split('#')
        const headings = [...read(path as string).matchAll(/^#+ (.+)$/gm)].map(([, text]) => anchor(text as string))
        expect(headings).to.include(at)
      })
    })

  it('becomes an object of the Prometheus operator with the command of the runbook', () => {
    const commands = [...read('docs/runbooks/kubernetes.md').matchAll(/```sh\n([^`]*)```/g)].map(
      ([, text]) => text ?? '',
    )
    const [makes = ''] = commands.filter((text) => text.includes('PrometheusRule'))
    const [script = '', apply] = makes.split(' | kubectl ')
    expect(apply).to.equal('apply -n atom -f -\n')
    const made = parse(execFileSync('sh', ['-ec', script], { cwd: root, encoding: 'utf8' }))
    expect(made).to.deep.include({ kind: 'PrometheusRule', spec: { groups } })
  })

  it('raises the alarm at the age at which /health does', () => {
    expect(rules.find(({ alert }) => alert === 'AtomOpenTransaction')?.expr).to.contain(`> ${OPEN_LIMIT_SECONDS}`)
  })
})
