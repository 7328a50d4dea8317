import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkout, freshHome, type Home, type RunningSystem, startSystem } from '../../reports/running-system.ts'

describe('the SDKs against the running services', function () {
  this.timeout(120_000)
  let home: Home
  let system: RunningSystem

  before(async () => {
    home = await freshHome()
    system = await startSystem(home)
  })
  after(async () => {
    await system?.stop()
    await home?.remove()
  })

  for (const language of ['typescript', 'python'])
    it(`pass their own tests in ${language}, which run against a fake otherwise`, async () => {
      const { code, output } = await mocha(`tests/sdk/${language}/**/*.test.ts`, {
        ATOM_SDK_CREDENTIALS: join(home.folder, 'dev', 'credentials.json'),
        MARKET_API: home.urls.marketplace,
        ATOM_BILLING_API: home.urls.billing,
      })
      expect(code, output).to.equal(0)
      expect(output).to.match(/[1-9]\d* passing|pending/)
    })
})

function mocha(pattern: string, env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const program = join(checkout, 'node_modules', 'mocha', 'bin', 'mocha.js')
    const child = spawn(process.execPath, [program, '--import=tsx', '--no-config', pattern], {
      cwd: checkout,
      env: { ...process.env, ...env },
      timeout: 100_000,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    child.once('close', (code) => resolve({ code, output }))
  })
}
