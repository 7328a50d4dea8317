import { readFile } from 'node:fs/promises'
import { spreadOf, spreadText, timed } from './measure.ts'
import { checkout, request } from './running-system.ts'
import type { Context, Result, Section } from './section.ts'

const ROUNDS = 50
const EXAMPLES = [
  'restart-workers.yaml',
  'scale-web.json',
  'rotate-database-secret.yaml',
  'requeue-failed-jobs.yaml',
  'check-backups.json',
]
type Verdict = {
  risk_score: number
  decision: string
  violations: { rule_id: string; severity: string; pointer: string }[]
}

export const governance: Section = {
  id: 'E.4',
  page: 'E.4_governance.md',
  title: 'Governance',
  tests: ['tests/consumers/governance/'],
  run,
}

async function run({ home }: Context): Promise<Result> {
  const { governance: api } = home.urls
  const analyze = (body: object) => request('POST', `${api}/analyze`, { body })
  const verdicts: [string, Verdict][] = []
  for (const file of EXAMPLES) {
    const content = await readFile(`${checkout}docs/examples/${file}`, 'utf8')
    verdicts.push([file, (await analyze({ content })).body as Verdict])
  }
  const times = spreadOf(await timed(ROUNDS, () => analyze({ id: 'sample' })))
  const sample = (await analyze({ id: 'sample' })).body as Verdict
  const { models } = (await request('GET', `${api}/models`)).body as { models: { version: string; sha256: string }[] }
  const first = models[0]
  return {
    files: { 'E.4_output.json': sample },
    figures: {
      analyze: times,
      sample_risk: sample.risk_score,
      model: first ? { version: first.version, sha256: first.sha256 } : null,
    },
    lines: [
      `- \`POST /analyze\` of the sample: risk ${sample.risk_score}, ${sample.decision}; ${spreadText(times)}.`,
      `- Model ${first?.version ?? 'none'}, sha256 \`${first?.sha256 ?? ''}\`; what it was measured on: [docs/model-card.md](../docs/model-card.md).`,
      '',
      '| example | risk | decision | findings |',
      '|---|---|---|---|',
      ...verdicts.map(([file, { risk_score, decision, violations }]) => {
        const findings = violations.map((one) => `${one.rule_id} ${one.severity} at \`${one.pointer}\``).join('; ')
        return `| ${file} | ${risk_score} | ${decision} | ${findings || 'none'} |`
      }),
    ],
  }
}
