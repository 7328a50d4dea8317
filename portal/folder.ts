import { accessSync, constants, existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where the built page lies: where the setting says, else beside its sources, or in `home` where that is not writable. */
export function portalFolder(setting: string | undefined, home: string): string {
  if (setting !== undefined) return resolve(setting)
  const beside = join(import.meta.dirname, 'dist')
  try {
    accessSync(import.meta.dirname, constants.W_OK)
    return beside
  } catch {
    return existsSync(join(beside, 'index.html')) ? beside : join(home, 'portal')
  }
}
