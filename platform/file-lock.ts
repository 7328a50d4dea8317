import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'

const LOOK_AGAIN_MS = 50

/**
 * Holds `path` while this process lives or until released. A lock whose process is gone is taken over. Throws when
 * somebody alive keeps it for longer than `waitMs`.
 */
export async function lockFile(path: string, waitMs: number, what: string): Promise<() => Promise<void>> {
  // Linked in whole: a process killed while writing leaves no lock without an owner.
  const own = `${path}.${randomUUID()}`
  await writeFile(own, String(process.pid))
  try {
    for (let waited = 0; ; waited += LOOK_AGAIN_MS) {
      try {
        await link(own, path)
        let held = true
        return async () => {
          // Only once: by a second release the lock may be somebody else's.
          if (held) await rm(path, { force: true })
          held = false
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = Number(await readFile(path, 'utf8').catch(() => '0'))
      if (!isAlive(holder)) await rm(path, { force: true })
      else if (waited > waitMs) throw new Error(`process ${holder} is still ${what}`)
      else await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  } finally {
    await rm(own, { force: true })
  }
}

export function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
