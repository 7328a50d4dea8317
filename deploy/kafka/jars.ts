import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { messageOf } from '../../platform/errors.ts'

const run = promisify(execFile)
const POM = fileURLToPath(new URL('./pom.xml', import.meta.url))
/** Shared by every start of this checkout, and gone with its dependencies. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/atom-kafka', import.meta.url))

const resolving = new Map<string, Promise<string>>()

/** Folder with the jars that `pom.xml` names; Maven resolves them once per content of that file. Who asks at once shares it. */
export function kafkaJars(cache = CACHE): Promise<string> {
  const asked = resolving.get(cache) ?? resolve(cache).finally(() => resolving.delete(cache))
  resolving.set(cache, asked)
  return asked
}

async function resolve(cache: string): Promise<string> {
  const pom = await readFile(POM)
  const folder = join(cache, createHash('sha256').update(pom).digest('hex').slice(0, 12))
  if (existsSync(folder)) return folder
  await mkdir(cache, { recursive: true })
  const partial = `${folder}.${process.pid}`
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${partial}`, '-DincludeScope=runtime']
  try {
    await run('mvn', ['-q', '-B', '-f', POM, ...goal])
    // Renamed only when whole; another process that was faster has left nothing to do.
    await rename(partial, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return folder
}

/** What is missing on this machine to run Kafka, or null. */
export async function kafkaMissing(): Promise<string | null> {
  for (const [command, args] of [
    ['java', ['-version']],
    ['mvn', ['-version']],
  ] as const)
    try {
      await run(command, [...args])
    } catch (error) {
      return `${command} does not run (${messageOf(error).split('\n')[0]})`
    }
  return null
}
