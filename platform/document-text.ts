import { DocumentError, pointerStep } from './document-problem.ts'

/** Longer keys than this make places that neither a finding nor a column can hold. */
const MAX_KEY = 1_024

/**
 * Refuses text that no database column can hold (U+0000) or that has no UTF-8 form (half of a surrogate pair): two
 * such texts would become one when stored.
 */
export function refuseUnstorable(value: unknown, pointer = ''): void {
  if (typeof value === 'string') {
    if (!storable(value)) throw new DocumentError('document_invalid_text', 'holds U+0000 or half a surrogate', pointer)
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    if (key.length > MAX_KEY || !storable(key))
      throw new DocumentError(
        'document_invalid_key',
        `a key holds U+0000, half a surrogate or over ${MAX_KEY} characters`,
        pointer,
      )
    refuseUnstorable(member, `${pointer}${pointerStep(key)}`)
  }
}

const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
