import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { skipAloud } from '../../../support/skip-aloud.ts'

const room = fileURLToPath(new URL('../../../../consumers/governance/', import.meta.url))
const python = join(process.env.ATOM_PYTHON_ENV ?? join(homedir(), '.cache/atom/train-venv'), 'bin/python')

describe('the training', () => {
  it('makes the committed model and the models of its cross-validation again, to the byte', function () {
    if (!existsSync(python)) skipAloud(this, 'train-venv', `there is no ${python}: \`npm run train\` makes it`)
    this.timeout(180_000)
    const work = mkdtempSync(join(tmpdir(), 'atom-train-'))
    try {
      const training = join(room, 'training')
      const [samples, rows] = ['policy_samples.jsonl', 'development_rows.jsonl'].map((name) => join(training, name))
      if (samples === undefined || rows === undefined) throw new Error('no data')
      const features = join(work, 'features.jsonl')
      mkdirSync(join(work, 'model'))
      const run = (command: string, list: string[]) =>
        execFileSync(command, list, { env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' } })
      run(process.execPath, ['--import', 'tsx', join(training, 'extract-features.ts'), samples, features])
      run(python, [join(training, 'train.py'), features, join(work, 'model'), work, samples, rows])
      for (const [made, kept] of [
        ['model/model.onnx', 'model/model.onnx'],
        ['leave_one_source_out.json', 'training/leave_one_source_out.json'],
        ['leave_one_family_out.json', 'training/leave_one_family_out.json'],
      ] as const)
        expect(readFileSync(join(work, made)).equals(readFileSync(join(room, kept))), kept).to.equal(true)
      const card = (file: string) => {
        const { measured, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
        const { leave_one_source_out: _later, ...figures } = measured
        return { ...rest, figures }
      }
      expect(card(join(work, 'model/model.json'))).to.deep.equal(card(join(room, 'model/model.json')))
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
})
