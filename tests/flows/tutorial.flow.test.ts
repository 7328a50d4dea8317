import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkout, freshHome, type Home, type RunningSystem, startSystem } from '../../reports/running-system.ts'
import { skipAloud } from '../support/skip-aloud.ts'

const PAGE = 'docs/tutorial-publish.md'

describe('the tutorial for partners', function () {
  this.timeout(150_000)
  let home: Home
  let system: RunningSystem
  let folder: string
  before(async function () {
    if (!(await runs('openssl version && curl --fail-with-body --version')))
      skipAloud(this, 'curl', `${PAGE} needs curl and openssl and is NOT tested`)
    home = await freshHome()
    folder = await mkdtemp(join(tmpdir(), 'atom-tutorial-'))
    await symlink(home.folder, join(folder, '.atom'))
    system = await startSystem(home)
  })
  after(async () => {
    await system?.stop()
    await home?.remove()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  it('leads from a key pair to a published package, line by line as written', async () => {
    const page = await readFile(join(checkout, PAGE), 'utf8')
    const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code]) => code)
    expect(blocks).to.have.length.above(8)
    const script = `set -eo pipefail\n${blocks.join('\n')}`
      .replaceAll('http://127.0.0.1:8050', home.urls.marketplace)
      .replaceAll('http://127.0.0.1:8070', home.urls.governance)
    const { code, output } = await bash(script, folder)
    expect(code, output).to.equal(0)
    expect(output).to.include('Verified OK')
    expect(output).to.match(/"type":"wpk\.published"[^\n]*"name":"clean-cache","version":"1\.0\.0"/)
    expect(output).to.not.match(/"status":[45]\d\d/)
  })
})

const runs = async (script: string) => (await bash(script, tmpdir())).code === 0

function bash(script: string, cwd: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', script], { cwd, timeout: 90_000 })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.once('error', (error) => resolve({ code: -1, output: error.message }))
    child.once('close', (code) => resolve({ code, output }))
  })
}
