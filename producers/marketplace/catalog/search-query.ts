/** Words of a name that are looked for; a name has hardly more. */
const MAX_NAME_WORDS = 16

/**
 * What `q` asks for: `text` for `websearch_to_tsquery`, and `inNames` for `to_tsquery`: all its words in a name, the last
 * one perhaps not written out. Null where the text uses operators, which a list of words cannot express.
 */
export function searchQuery(q: string): { text: string; inNames: string | null } {
  // A separator inside a word is a blank, as in what is searched; before a word a minus sign means "not".
  const text = q.replace(/(?<=[\p{L}\p{N}])[._-]+(?=[\p{L}\p{N}])/gu, ' ')
  if (/"|(^|\s)-|(^|\s)or(\s|$)/i.test(text)) return { text, inNames: null }
  const words = (text.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, MAX_NAME_WORDS)
  return { text, inNames: words.length === 0 ? null : `${words.map((word) => `'${word}'`).join(' & ')}:*` }
}
