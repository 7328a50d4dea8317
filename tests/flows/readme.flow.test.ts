import { spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  checkout,
  credentialsOf,
  freshHome,
  type Home,
  type RunningSystem,
  startSystem,
} from '../../reports/running-system.ts'
import { skipAloud } from '../support/skip-aloud.ts'

describe("the README's walk", function () {
  this.timeout(90_000)
  let home: Home
  let system: RunningSystem
  let folder: string

  before(async function () {
    if (!(await runs('openssl', ['version'])) || !(await runs('curl', ['--version']))) {
      skipAloud(this, 'curl', 'the walk of the README needs curl and openssl')
    }
    home = await freshHome()
    folder = await mkdtemp(join(tmpdir(), 'atom-readme-'))
    system = await startSystem(home)
  })
  after(async () => {
    await system?.stop()
    await home?.remove()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  it('works line by line as written, down to the amount it promises', async () => {
    await mkdir(join(folder, 'docs'))
    await symlink(home.folder, join(folder, '.atom'))
    await symlink(join(checkout, 'docs', 'examples'), join(folder, 'docs', 'examples'))
    await copyFile(join(checkout, 'package.json'), join(folder, 'package.json'))
    const readme = await readFile(join(checkout, 'README.md'), 'utf8')
    const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code]) => code)
    expect(blocks).to.have.length.above(4)
    let script = `set -e\n${blocks.join('\n')}`
    const ports: [number, string][] = [
      [8050, home.urls.marketplace],
      [8060, home.urls.billing],
      [8070, home.urls.governance],
      [8080, home.urls.portal],
    ]
    for (const [port, url] of ports) script = script.replaceAll(`http://127.0.0.1:${port}`, url)
    const { code, output } = await bash(script, folder)
    expect(code, output).to.equal(0)
    expect(output).to.include('WPK-P3-001')
    expect(output).to.match(/"meter":"job_requeues"[^}]*"quantity":"14\.5","unit_price":"0\.10"[^}]*"amount":"1\.45"/)
    expect(output, 'the explanation').to.match(/"usage":\{"quantity":"14\.5","records":1,"hours":\[/)
    expect((await readFile(join(home.folder, 'invoice.pdf'))).subarray(0, 5).toString()).to.equal('%PDF-')
    expect(output).to.not.match(/"status":[45]\d\d/)
  })

  it('and its lines of TypeScript and Python do what they say', async function () {
    const readme = await readFile(join(checkout, 'README.md'), 'utf8')
    const { orgs } = await credentialsOf(home)
    const env = {
      TOKEN: orgs.demo.api_key,
      ATOM_SIGNING_KEY: orgs.demo.private_key_path,
      MARKET_API: home.urls.marketplace,
      PYTHONPATH: join(checkout, 'sdk', 'python'),
    }
    const block = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? ''
    const typescript = ['--import', 'tsx', '--input-type=module', '-e', block('ts')]
    const published = await run(process.execPath, typescript, checkout, env)
    expect(published.output).to.match(/^restart-workers 1\.2\.0$/m)
    if (!(await runs('python3', ['--version']))) {
      skipAloud(this, 'python', 'the Python lines of the README are NOT tested')
    }
    const listed = await run('python3', ['-c', block('python')], checkout, env)
    expect(listed.output).to.include("'restart-workers'")
  })

  it('and the demo command ends well, twice in a row', async () => {
    for (let round = 0; round < 2; round++) {
      const env = {
        ATOM_HOME: home.folder,
        MARKET_API: home.urls.marketplace,
        ATOM_BILLING_API: home.urls.billing,
        ATOM_PORT_PORTAL: new URL(home.urls.portal).port,
      }
      const { code, output } = await run(process.execPath, ['--import', 'tsx', 'sdk/demo/walk.ts'], checkout, env)
      expect(code, output).to.equal(0)
      expect(output).to.match(/By hand: .*× 0\.10 = /)
    }
  })
})

type Ended = { code: number | null; output: string }
const bash = (script: string, cwd: string) => run('bash', ['-c', script], cwd)

function run(command: string, args: string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, timeout: 40_000 })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.once('error', (error) => resolve({ code: -1, output: error.message }))
    child.once('close', (code) => resolve({ code, output }))
  })
}

const runs = async (command: string, args: string[]) => (await run(command, args, tmpdir())).code === 0
