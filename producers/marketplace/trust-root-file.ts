import { readFileSync } from 'node:fs'
import { messageOf } from '../../platform/errors.ts'
import { publicTrustRoot, readTrustRoot, type TrustRoot } from './trust/trust-root.ts'

/** The trusted root in `file`, or the public one; read on first use. Throws a sentence that names the file. */
export function openTrustRoot(file: string | undefined): () => TrustRoot {
  let opened: TrustRoot | undefined
  return () => {
    opened ??= file === undefined ? publicTrustRoot() : readFrom(file)
    return opened
  }
}

function readFrom(file: string): TrustRoot {
  try {
    return readTrustRoot(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new Error(`ATOM_TRUSTED_ROOT (${file}): ${messageOf(cause)}`, { cause })
  }
}
