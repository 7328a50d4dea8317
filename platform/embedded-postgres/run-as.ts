import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** The user the server runs as; null means the user of this process. */
export type RunAs = { uid: number; gid: number; name: string } | null

/** Postgres refuses to run as root, so root hands it to `postgres`, else to `nobody`: no user has to be made. */
export function serverUser(): RunAs {
  if (process.getuid?.() !== 0) return null
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]), name }
  }
  throw new Error('running as root needs a user `postgres` or `nobody` in /etc/passwd for the database server')
}

/** Whether another user can pass through every folder above and including `path` (a checkout under /root is not). */
export function reachableByOthers(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}
