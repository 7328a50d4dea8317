import { parseDocument } from '../../platform/document.ts'
import type { Fault } from '../../platform/errors.ts'
import { isWpk, type Wpk, wpkProblems } from '../../schemas/wpk.ts'

export type ReadPackage = { ok: true; wpk: Wpk } | { ok: false; errors: Fault[] }

/** Reads the bytes of a package within the document limits and checks them against the format. */
export function readPackage(content: Uint8Array, mediaType?: string): ReadPackage {
  const parsed = parseDocument(content, {}, mediaType)
  if (!parsed.ok) {
    const { pointer, code, detail } = parsed
    return { ok: false, errors: [{ pointer, code, detail }] }
  }
  return isWpk(parsed.value) ? { ok: true, wpk: parsed.value } : { ok: false, errors: wpkProblems(parsed.value) }
}
