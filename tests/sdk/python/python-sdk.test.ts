import { execFile, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { skipAloud } from '../../support/skip-aloud.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { openTarget, type Target } from '../support/target.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const sdk = fileURLToPath(new URL('../../../sdk/python', import.meta.url))
const suites = readdirSync(here).filter((name) => /^test_.*\.py$/.test(name))
const oldestSupported = 'import sys; sys.exit(sys.version_info < (3, 9))'

describe('sdk/python', () => {
  let target: Target
  let scripted: ScriptedServer
  before(async function () {
    if (spawnSync('python3', ['-c', oldestSupported]).status !== 0) {
      skipAloud(this, 'python', 'the Python SDK is NOT tested, python3 (3.9 or later) is not on this machine')
    }
    target = await openTarget()
    scripted = await startScriptedServer()
  })
  after(() => Promise.all([target?.close(), scripted?.close()]))

  it('has suites to run', () => {
    expect(suites).to.not.be.empty
  })

  for (const suite of suites) {
    it(`passes ${suite}`, async () => {
      const { status, output } = await runSuite(suite, target, scripted)
      expect(status, output).to.equal(0)
      expect(output, 'at least one test ran').to.match(/^Ran [1-9]\d* tests?/m)
      const skipped = output.match(/skipped ['"].*/g) ?? []
      for (const line of skipped) console.warn(`SKIPPED in ${suite}: ${line}`)
    }).timeout(120_000)
  }
})

/** Runs one unittest module; not spawnSync, because the servers it talks to live in this process. */
function runSuite(
  suite: string,
  target: Target,
  scripted: ScriptedServer,
): Promise<{ status: number; output: string }> {
  const { close: _, ...targetData } = target
  const env = {
    ...process.env,
    PYTHONPATH: sdk,
    PYTHONDONTWRITEBYTECODE: '1',
    ATOM_TEST_SCRIPTED: scripted.url,
    ATOM_TEST_TARGET: JSON.stringify(targetData),
  }
  return new Promise((resolve) => {
    execFile('python3', ['-W', 'error', '-m', 'unittest', '-v', suite], { cwd: here, env }, (error, stdout, stderr) =>
      resolve({ status: error ? 1 : 0, output: `${stdout}${stderr}` }),
    )
  })
}
