import { execFile, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { skipAloud } from '../support/skip-aloud.ts'
import { packageNamed, temporaryFolder, writePackage } from './support/package-file.ts'
import { openTarget, type Target } from './support/target.ts'

const run = promisify(execFile)
const pathOf = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url))

describe('sdk/README.md', () => {
  const folder = temporaryFolder()
  const readme = readFileSync(pathOf('sdk/README.md'), 'utf8')
  let target: Target
  before(async () => {
    target = await openTarget()
  })
  after(async () => {
    folder.remove()
    await target.close()
  })

  const environment = () => ({
    ...process.env,
    MARKET_API: target.marketApi,
    ATOM_BILLING_API: target.billingApi,
    ATOM_API_KEY: target.apiKey,
    ATOM_SIGNING_KEY: target.privateKeyPath,
    PYTHONPATH: pathOf('sdk/python'),
    PYTHONDONTWRITEBYTECODE: '1',
  })

  function block(language: string): string {
    const found = readme.match(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``))?.[1]
    if (!found) throw new Error(`the README has no ${language} block`)
    return found
  }

  function expectRun({ stdout, stderr }: { stdout: string; stderr: string }): void {
    expect(stderr).to.equal('')
    const lines = stdout.trim().split('\n')
    expect(lines[0]).to.match(/^(in_review|published) \d/)
    expect(lines.at(-2)).to.match(/^1 \[\]$/)
    expect(lines.at(-1)).to.match(/^\d+\.\d+$/)
  }

  it('has a TypeScript example that runs', async () => {
    writePackage(folder.path, 'backup.yaml', packageNamed(`sdk-${randomUUID()}`))
    const program = block('ts').replace('@atom-marketplace/sdk', pathOf('sdk/typescript/index.ts'))
    const file = writePackage(folder.path, 'example.mts', program)
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
    const options = { cwd: folder.path, env: environment() }
    expectRun(await run(process.execPath, ['--import', loader, file], options))
  }).timeout(60_000)

  it('has a Python example that runs', async function () {
    if (spawnSync('python3', ['--version']).status !== 0) {
      skipAloud(this, 'python', 'the Python example of sdk/README.md is NOT tested')
    }
    writePackage(folder.path, 'backup.yaml', packageNamed(`sdk-${randomUUID()}`))
    const file = writePackage(folder.path, 'example.py', block('python'))
    expectRun(await run('python3', [file], { cwd: folder.path, env: environment() }))
  }).timeout(60_000)
})
