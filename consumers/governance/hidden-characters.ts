// Characters that show nothing or turn the reading direction; and look-alikes of Latin letters (Cyrillic, Greek).
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g
const LOOK_ALIKES: Record<string, string> = {
  а: 'a',
  е: 'e',
  о: 'o',
  р: 'p',
  с: 'c',
  у: 'y',
  х: 'x',
  і: 'i',
  ј: 'j',
  ѕ: 's',
  һ: 'h',
  ԁ: 'd',
  ո: 'n',
  ο: 'o',
  α: 'a',
  ν: 'v',
  ρ: 'p',
}
const MIXED = /(?<=[A-Za-z][\w/-]{0,20})[аеорсухіјѕһԁոοανρ]|[аеорсухіјѕһԁոοανρ](?=[\w/-]{0,20}[A-Za-z])/g
const FULL_WIDTH = /[\uff01-\uff5e]/g

/** A command as it is matched: invisible characters gone, look-alikes within Latin words and full-width signs replaced. */
export function normalised(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: plain ASCII needs none of this
  if (/^[\x00-\x7f]*$/.test(text)) return text
  return text
    .replace(INVISIBLE, '')
    .replace(FULL_WIDTH, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
    .replace(MIXED, (char) => LOOK_ALIKES[char] ?? char)
}

/** What a text hides from its reader, in words, or null. A mark at the very start of a text is an encoding's. */
export function hiddenIn(text: string): string | null {
  const rest = text.replace(/^\ufeff/, '')
  if (rest.match(/[\u202a-\u202e\u2066-\u2069]/)) return 'characters that turn the reading direction'
  if (
    rest.match(/[\u200b-\u200d\u2060-\u2064\ufeff]/) &&
    /[A-Za-z]\s?[\u200b-\u200d\u2060-\u2064\ufeff]+\s?[A-Za-z]/.test(rest)
  )
    return 'invisible characters within words'
  return rest.search(MIXED) === -1 ? null : 'letters of another alphabet within words'
}
