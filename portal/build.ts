import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const here = import.meta.dirname
const webDir = join(here, 'web')
const STAMP = 'build-stamp.txt'
// A temp folder older than this belongs to a build that died: builds take seconds.
const ABANDONED_AFTER_MS = 10 * 60_000

type BuildLog = { info(message: string, fields?: object): void }
type BuildOptions = { log: BuildLog; dir?: string; now?: () => Date }

/**
 * Makes sure `dir` (default `portal/dist`) holds the page built from the sources as they are. `built` is false when it
 * did already; `ms` is the time taken either way. Safe to call from several processes at once. Throws when Vite fails.
 */
export const ensurePortalBuilt = async (
  options: BuildOptions,
): Promise<{ dir: string; built: boolean; ms: number }> => {
  const { log, dir = join(here, 'dist'), now = () => new Date() } = options
  const began = performance.now()
  const done = (built: boolean) => ({ dir, built, ms: Math.round(performance.now() - began) })
  // An image may ship the built page without its sources.
  if (!existsSync(webDir) && existsSync(join(dir, 'index.html'))) return done(false)

  const stamp = await sourceStamp()
  if ((await stampOf(dir)) === stamp) return done(false)
  await removeAbandoned(dir, now())
  const temp = `${dir}.tmp-${process.pid}-${performance.now().toString(36).replace('.', '')}`
  try {
    await mkdir(dirname(dir), { recursive: true })
    await runVite(temp)
    await writeFile(join(temp, STAMP), stamp)
    await install(temp, dir, stamp)
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
  log.info('portal page built', { dir, ms: done(true).ms })
  return done(true)
}

/** Sizes in bytes of the script and styles the first page loads, gzipped at level 9. */
export const pageSize = async (dir: string): Promise<{ script: number; style: number }> => {
  const assets = join(dir, 'assets')
  const size = { script: 0, style: 0 }
  for (const name of await readdir(assets)) {
    const bytes = gzipSync(await readFile(join(assets, name)), { level: 9 }).length
    if (name.endsWith('.js')) size.script += bytes
    if (name.endsWith('.css')) size.style += bytes
  }
  return size
}

/** What the page is made of: its sources, this file, our version and the versions of what is bundled or bundles. */
const sourceStamp = async (): Promise<string> => {
  const hash = createHash('sha256')
  const manifest = JSON.parse(await readFile(join(here, '..', 'package.json'), 'utf8')) as {
    version: string
    dependencies: Record<string, string>
  }
  const { react, 'react-dom': reactDom, vite } = manifest.dependencies
  hash.update(JSON.stringify([manifest.version, react, reactDom, vite]))
  const entries = await readdir(webDir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  for (const file of [...files.sort(), fileURLToPath(import.meta.url)]) {
    hash.update(`\0${relative(here, file).replaceAll('\\', '/')}\0`).update(await readFile(file))
  }
  return hash.digest('hex')
}

const stampOf = async (dir: string): Promise<string | null> =>
  await readFile(join(dir, STAMP), 'utf8').catch(() => null)

/** Puts `temp` in the place of `dir`. Whoever comes second with the same page leaves the first one's there. */
const install = async (temp: string, dir: string, stamp: string): Promise<void> => {
  for (let attempt = 1; (await stampOf(dir)) !== stamp; attempt += 1) {
    const old = `${temp}.old`
    await rename(dir, old).catch(ignoreCode('ENOENT'))
    try {
      await rename(temp, dir)
      return
    } catch (error) {
      // Another build took the place between the two renames; look at what it put there.
      if (attempt === 5 || !hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EPERM')) throw error
    } finally {
      await rm(old, { recursive: true, force: true })
    }
  }
}

const removeAbandoned = async (dir: string, now: Date): Promise<void> => {
  const parent = dirname(dir)
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter((candidate) => join(parent, candidate).startsWith(`${dir}.tmp-`))) {
    const path = join(parent, name)
    const made = await stat(path).catch(() => null)
    if (made !== null && now.getTime() - made.mtimeMs > ABANDONED_AFTER_MS)
      await rm(path, { recursive: true, force: true })
  }
}

/**
 * Runs Vite in a process of its own. Vite sets NODE_ENV for its whole process, and what it finds there decides whether
 * React is bundled for production; the services beside us read the same variable.
 */
const runVite = (outDir: string): Promise<void> =>
  new Promise((done, failed) => {
    const loader = import.meta.resolve('tsx')
    const child = spawn(process.execPath, ['--import', loader, fileURLToPath(import.meta.url), '--vite', outDir], {
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    child.on('error', failed)
    child.on('close', (code, signal) =>
      code === 0
        ? done()
        : failed(new Error(`the portal page could not be built (${signal ?? `exit ${code}`}): ${said.trim()}`)),
    )
  })

const viteBuild = async (outDir: string): Promise<void> => {
  const { build } = await import('vite')
  await build({
    configFile: false,
    envFile: false,
    root: webDir,
    base: '/',
    logLevel: 'warn',
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  })
}

const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

const ignoreCode = (code: string) => (error: unknown) => {
  if (!hasCode(error, code)) throw error
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`

const main = async (): Promise<void> => {
  const log: BuildLog = { info: () => {} }
  const { dir, built, ms } = await ensurePortalBuilt({ log })
  const size = await pageSize(dir)
  console.log(`${relative(process.cwd(), dir)}: ${built ? `built in ${ms} ms` : 'up to date'}`)
  console.log(`first page, gzip: script ${kilobytes(size.script)}, styles ${kilobytes(size.style)}`)
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const outDir = process.argv[2] === '--vite' ? process.argv[3] : undefined
  await (outDir === undefined ? main() : viteBuild(outDir))
}
