const KEY = 'atom.access-token'

/** A pasted token made usable: surrounding space and a leading "Bearer " gone. Null when it cannot go in a header. */
export const cleanToken = (pasted: string): string | null => {
  const token = pasted.trim().replace(/^bearer\s+/i, '')
  return /^[\x21-\x7e]*$/.test(token) ? token : null
}

/** The token of this tab, empty when there is none. */
export const storedToken = (storage: () => Storage): string => {
  try {
    return cleanToken(storage().getItem(KEY) ?? '') ?? ''
  } catch {
    // Browsers that block site data throw on the first touch of sessionStorage; the page then works without it.
    return ''
  }
}

/** Keeps the token for this tab only; an empty one is removed. */
export const storeToken = (storage: () => Storage, token: string): void => {
  try {
    if (token === '') storage().removeItem(KEY)
    else storage().setItem(KEY, token)
  } catch {
    // As above: the token then lives until the page is closed.
  }
}
