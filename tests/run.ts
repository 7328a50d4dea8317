import { type ChildProcess, fork } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Counts } from './support/run-mocha.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
/** All of it takes a small part of this; what hangs must not hang its caller. */
const LIMIT_MS = 15 * 60_000
const DATABASES = 2

/**
 * `npm test [-- pattern…]`: every `tests/**\/*.test.ts`, or those whose path contains a pattern (`*` stands for
 * anything). One process with the tests that need no database, and two that each share a server: most of a test of the
 * first kind is waiting for processes to start.
 */
async function main(patterns: readonly string[]): Promise<number> {
  const files = testFiles().filter(
    (file) => patterns.length === 0 || patterns.some((pattern) => matches(file, pattern)),
  )
  const usesDatabase = (file: string) => file.endsWith('.db.test.ts')
  const turnOf = (turn: number) => files.filter(usesDatabase).filter((_, n) => n % DATABASES === turn)
  const groups = [
    files.filter((file) => !usesDatabase(file)),
    ...Array.from({ length: DATABASES }, (_, n) => turnOf(n)),
  ]
    // Of a few files named on the command line there may be none of a kind.
    .filter((group) => group.length > 0)
  const temporary = mkdtempSync(join(tmpdir(), 'atom-tests-'))
  // The database server may run as another user and has to pass through.
  chmodSync(temporary, 0o711)
  const running = groups.map((group) => start(group, temporary, patterns.length > 0))
  const limit = setTimeout(() => {
    console.error(`\nended: the tests did not finish within ${LIMIT_MS / 60_000} minutes`)
    for (const { child } of running) endGroup(child)
  }, LIMIT_MS)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      for (const { child } of running) endGroup(child)
    })
  const results = await Promise.all(running.map(({ finished }) => finished))
  clearTimeout(limit)
  rmSync(temporary, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  const sum = (of: keyof Counts) => results.reduce((total, one) => total + one[of], 0)
  const failed = files.length === 0 ? 1 : sum('failed')
  if (files.length === 0) console.error(`no test file matches ${patterns.join(' ')}`)
  console.log(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`)
  return failed === 0 ? 0 : 1
}

function testFiles(): string[] {
  return readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('tests', name))
    .sort()
}

function matches(file: string, pattern: string): boolean {
  const literal = pattern.replace(/^\.\//, '').replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(literal.replace(/\*+/g, '.*')).test(file)
}

type Running = { child: ChildProcess; finished: Promise<Counts> }

function start(files: readonly string[], temporary: string, inFull: boolean): Running {
  const child = fork(join(root, 'tests', 'support', 'run-mocha.ts'), files, {
    cwd: root,
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, TMPDIR: temporary, ATOM_TEST_REPORTER: inFull ? 'spec' : 'dot' },
    // A group of its own, so that whatever a test started and forgot can be ended with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const output: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => output.push(chunk))
  let counts: Counts | undefined
  child.on('message', (message) => {
    counts = message as Counts
  })
  const finished = new Promise<Counts>((resolve) => {
    child.once('exit', (code, signal) => {
      endGroup(child)
      process.stdout.write(Buffer.concat(output))
      if (counts) return resolve(counts)
      console.error(`the test process ended without a result (${signal ?? `exit code ${code}`})`)
      resolve({ passed: 0, failed: 1, skipped: 0 })
    })
  })
  return { child, finished }
}

function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

process.exitCode = await main(process.argv.slice(2))
