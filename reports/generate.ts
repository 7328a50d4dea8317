import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { billing } from './billing.ts'
import { governance } from './governance.ts'
import { marketplace } from './marketplace.ts'
import { round } from './measure.ts'
import { portal } from './portal.ts'
import { checkout, credentialsOf, freshHome, type Home, startSystem } from './running-system.ts'
import { sdk } from './sdk.ts'
import type { Section } from './section.ts'

const sections: readonly Section[] = [marketplace, sdk, billing, governance, portal]
const folder = join(checkout, 'reports')
type TestCounts = { passed: number; failed: number; skipped: number }

/** Starts a system of its own, measures it, runs each part's tests, and writes what it saw. Exits 1 on a failed test. */
async function generate(): Promise<number> {
  await mkdir(join(folder, 'logs'), { recursive: true })
  const home = await freshHome()
  const conditions = `Node ${process.version}, ${process.platform}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), loopback, client on the same machine`
  const results: Record<string, unknown> = {}
  let failed = 0
  try {
    const starts = await measureStarts(home)
    const system = await startSystem(home, portalOf(home))
    try {
      const orgs = (await credentialsOf(home)).orgs
      for (const section of sections) {
        process.stdout.write(`${section.id} ${section.title}\n`)
        const { lines, files, figures } = await section.run({ home, orgs, starts })
        const tests = await runTests(section)
        failed += tests.failed
        results[section.id] = { title: section.title, figures, tests }
        for (const [name, value] of Object.entries(files)) await writeJson(name, value)
        await writeFile(join(folder, section.page), pageOf(section, lines, tests, conditions))
      }
    } finally {
      await system.stop()
    }
    const { version } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { version: string }
    await writeJson('PhaseE_Snapshot.json', {
      version,
      measured_at: new Date().toISOString(),
      conditions,
      sections: results,
    })
    await writeFigures(starts, conditions)
  } finally {
    await home.remove()
  }
  return failed
}

/** Into a home of its own, with the page built there: what a first start after `npm ci` does. */
async function measureStarts(home: Home): Promise<{ first_ms: number; later_ms: number }> {
  const measured: number[] = []
  for (let start = 0; start < 2; start++) {
    const system = await startSystem(home, portalOf(home))
    measured.push(Math.round(system.readyMs))
    await system.stop()
  }
  return { first_ms: measured[0] as number, later_ms: measured[1] as number }
}

const portalOf = (home: Home) => ({ ATOM_PORTAL_DIST: join(home.folder, 'portal') })

async function runTests({ id, tests }: Section): Promise<TestCounts> {
  const log = createWriteStream(join(folder, 'logs', `${id}_tests.log`))
  const child = spawn(process.execPath, ['--import', 'tsx', 'tests/run.ts', ...tests], { cwd: checkout })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk
      log.write(chunk)
    })
  await new Promise((resolve) => child.once('close', resolve))
  await new Promise((resolve) => log.end(resolve))
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(text)
  if (!counts) return { passed: 0, failed: 1, skipped: 0 }
  return { passed: Number(counts[1]), failed: Number(counts[2]), skipped: Number(counts[3]) }
}

function pageOf({ id, title }: Section, lines: readonly string[], tests: TestCounts, conditions: string): string {
  return [
    `# ${id} ${title}`,
    '',
    `Made by \`npm run reports\` from one run: ${conditions}.`,
    '',
    ...lines,
    '',
    `Tests: ${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped ([log](logs/${id}_tests.log)).`,
    '',
  ].join('\n')
}

/** The figures the README shows are these, so they cannot be older than the reports. */
async function writeFigures(starts: { first_ms: number; later_ms: number }, conditions: string): Promise<void> {
  const file = join(checkout, 'README.md')
  const seconds = (ms: number) => round(ms / 1000)
  const figures = `Ready (every \`/health\` ok) ${seconds(starts.first_ms)} s after the first \`npm start\`, the page's build included, and
${seconds(starts.later_ms)} s after a later one: measured by \`npm run reports\` on ${conditions.split(', loopback')[0]}.`
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/(<!-- figures:start -->)[\s\S]*(<!-- figures:end -->)/, `$1\n${figures}\n$2`))
}

const writeJson = (name: string, value: unknown) => writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)

process.exitCode = (await generate()) > 0 ? 1 : 0
