import { pathToFileURL } from 'node:url'
import Mocha from 'mocha'
import { mochaHooks } from './root-hooks.ts'

/** What this process tells the one that started it. */
export type Counts = { passed: number; failed: number; skipped: number }

/** Runs the files named on the command line in one mocha; a file that cannot be loaded is one failed test. */
async function main(files: readonly string[]): Promise<number> {
  const mocha = new Mocha({
    reporter: process.env.ATOM_TEST_REPORTER ?? 'spec',
    timeout: 10_000,
    rootHooks: mochaHooks,
  })
  // Its types do not know this method: without it, run() would load the files a second time.
  ;(mocha as Mocha & { lazyLoadFiles(lazy: boolean): Mocha }).lazyLoadFiles(true)
  for (const file of files) {
    try {
      mocha.files = [file]
      await mocha.loadFilesAsync()
    } catch (error) {
      mocha.suite.addTest(
        new Mocha.Test(`${file} can be loaded`, () => {
          throw error
        }),
      )
    }
  }
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  const slowest: { file: string; ms: number }[] = []
  return new Promise((resolve) => {
    const runner = mocha.run((failures) => {
      if (process.env.ATOM_TEST_TIMES) report(slowest)
      process.send?.(counts)
      resolve(failures === 0 ? 0 : 1)
    })
    // A failed hook fails as itself; the tests it kept from running are in none of these counts.
    runner.on('pass', () => (counts.passed += 1))
    runner.on('fail', () => (counts.failed += 1))
    runner.on('pending', () => (counts.skipped += 1))
    let begun = performance.now()
    runner.on('suite', (suite) => {
      if (suite.parent?.root) begun = performance.now()
    })
    runner.on('suite end', (suite) => {
      if (suite.parent?.root) slowest.push({ file: suite.title, ms: Math.round(performance.now() - begun) })
    })
  })
}

function report(suites: { file: string; ms: number }[]): void {
  for (const { file, ms } of suites.sort((a, b) => b.ms - a.ms).slice(0, 25))
    console.log(`${String(ms).padStart(7)} ms  ${file}`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      console.error(error)
      process.exit(2)
    },
  )
