import { type Language, languageOf } from './shell-commands.ts'

/** One piece of code in an argument list; `index` is its place in the list, or null when the whole list is meant. */
export type ExecPart = { index: number | null; text: string; language: Language }

/**
 * The code in an argument list such as `["sh", "-c", "script"]` or `["curl", "-d", "@file", "https://..."]`. A list
 * that starts a program becomes one shell line, each argument quoted so that no operator in it is taken for one.
 */
export function execParts(list: readonly string[]): ExecPart[] {
  for (let at = 0; at + 2 < list.length + 1; at += 1) {
    const language = languageOf(list[at] ?? '')
    const code = list[at + 2]
    if (language !== null && code !== undefined && /^-[a-zA-Z]*[ceE]$|^--eval$/.test(list[at + 1] ?? '')) {
      return [{ index: at + 2, text: code, language }]
    }
  }
  const lines = list.findIndex((item) => item.includes('\n'))
  if (lines !== -1) return [{ index: lines, text: list[lines] ?? '', language: 'shell' }]
  return list.length === 0 ? [] : [{ index: null, text: list.map(quoted).join(' '), language: 'shell' }]
}

const quoted = (item: string): string => (/^[\w@%+=:,./-]+$/.test(item) ? item : `'${item.replaceAll("'", "'\\''")}'`)
