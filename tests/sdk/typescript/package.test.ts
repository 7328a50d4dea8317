import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { temporaryFolder } from '../support/package-file.ts'

const run = promisify(execFile)
const source = fileURLToPath(new URL('../../../sdk/typescript/', import.meta.url))

describe('sdk/typescript as an installed package', () => {
  const project = temporaryFolder()
  after(() => project.remove())

  it('is plain JavaScript with types, importable by name without a loader', async () => {
    const installed = join(project.path, 'node_modules', '@atom-marketplace', 'sdk')
    mkdirSync(installed, { recursive: true })
    copyFileSync(join(source, 'package.json'), join(installed, 'package.json'))
    const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
    const dist = join(installed, 'dist')
    await run(process.execPath, [compiler, '-p', join(source, 'tsconfig.json'), '--outDir', dist])
    const program = join(project.path, 'program.mjs')
    writeFileSync(program, "import * as sdk from '@atom-marketplace/sdk'\nconsole.log(Object.keys(sdk).join(' '))\n")
    const { stdout } = await run(process.execPath, [program])
    expect(stdout.trim().split(' ')).to.have.members([
      'AtomError',
      'approve',
      'getInvoice',
      'getVerdict',
      'getWorkflow',
      'listWorkflows',
      'publishWPK',
      'reportUsage',
      'resolveWPK',
      'verifyInclusion',
      'verifyWebhook',
      'waitForStatus',
    ])
    expect(readFileSync(join(dist, 'index.d.ts'), 'utf8')).to.include('publishWPK')
  }).timeout(60_000)

  it('has no dependencies', () => {
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Record<string, unknown>
    expect(manifest).to.not.have.any.keys('dependencies', 'peerDependencies', 'optionalDependencies')
  })
})
