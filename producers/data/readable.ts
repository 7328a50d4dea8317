/** A record's value for people: as JSON where it is JSON, else its bytes, which nothing may be guessed about. */
export function readable(value: Buffer): { data: unknown } | { data_base64: string } {
  try {
    return { data: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value)) }
  } catch {
    return { data_base64: value.toString('base64') }
  }
}
