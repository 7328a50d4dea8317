import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary folder and its removal. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'atom-sdk-test-'))
  return { path, remove: () => rmSync(path, { recursive: true }) }
}

/** A small harmless package of that name and version. */
export function packageNamed(name: string, version = '1.0.0'): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'WorkflowPackage',
    metadata: { name, version, description: 'Prüft, ob ein Dienst antwortet', author: 'demo', tags: ['sdk-test'] },
    spec: {
      runtime: { type: 'shell', version: '5' },
      safety: { mode: 'manual', approval_required: true, dry_run_required: true, rollback_enabled: false },
      triggers: [{ type: 'schedule', config: { cron: '0 6 * * *' } }],
      handlers: [{ name: 'greet', type: 'shell', config: { command: 'echo hello' }, timeout: '30s' }],
    },
  }
}

/** Writes a package (or any text) to a file in the folder and gives its path. */
export function writePackage(folder: string, fileName: string, content: unknown): string {
  const path = join(folder, fileName)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
  return path
}
