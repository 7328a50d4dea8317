/**
 * Bytes of base64 that is spelled in exactly one way, or null. Node drops junk inside base64, so a changed text could
 * still verify.
 */
export function strictBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : null
}
