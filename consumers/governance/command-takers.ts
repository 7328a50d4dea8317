import type { Word } from './shell.ts'

/** Texts that a program, which is no shell, hands to one: scripts of packages, aliases, watchers, terminals. */
export function handedTexts(name: string, args: readonly Word[]): string[] {
  const texts = args.map(({ text }) => text)
  const afterFlag = (flag: RegExp): string[] => {
    const at = texts.findIndex((text) => flag.test(text))
    return at === -1 || texts[at + 1] === undefined ? [] : [texts[at + 1] as string]
  }
  if (/^(?:npm|pnpm|yarn|bun)$/.test(name) && texts.includes('pkg') && texts.includes('set'))
    return texts.flatMap((text) => /^scripts\.[\w:.-]{1,80}=(.+)$/s.exec(text)?.[1] ?? [])
  if (name === 'npm' && texts[0] === 'set-script') return texts.slice(2, 3)
  if (name === 'git') {
    const at = texts.findIndex((text) =>
      /^(?:alias\.[\w-]{1,80}|core\.(?:sshCommand|fsmonitor|editor|pager))$/i.test(text),
    )
    const value = at === -1 ? undefined : texts[at + 1]
    return value === undefined ? [] : [value.replace(/^!/, '')]
  }
  if (/^(?:script|flock|runuser)$/.test(name)) return afterFlag(/^(?:-[a-z]*c|--command)$/)
  // Their own options end where the first word is that is none.
  if (name === 'watch' || name === 'parallel') {
    const first = texts.findIndex(
      (text, index) => !text.startsWith('-') && !/^(?:-n|--interval|-j|--jobs)$/.test(texts[index - 1] ?? ''),
    )
    const end = texts.indexOf(':::')
    return first === -1 ? [] : [texts.slice(first, end === -1 ? undefined : end).join(' ')]
  }
  if (name === 'find') return executedBy(texts)
  if (name === 'tmux' && /^(?:new|new-session|neww|new-window|send|send-keys)$/.test(texts[0] ?? ''))
    return texts.slice(1).filter((text) => /\s/.test(text))
  return []
}

/** What `find` runs on what it finds, as if it ran on where it looks; shells in it are seen by themselves. */
function executedBy(texts: readonly string[]): string[] {
  const at = texts.findIndex((text) => /^-(?:exec|execdir|ok)$/.test(text)) + 1
  if (at === 0) return []
  const end = texts.findIndex((text, index) => index > at && (text === ';' || text === '+'))
  const where = texts[0]?.startsWith('-') === false ? texts[0] : '.'
  const run = texts.slice(at, end === -1 ? undefined : end)
  return run.some((text) => /["'`$();|&<>\s]/.test(text))
    ? []
    : [run.map((text) => (text === '{}' ? where : text)).join(' ')]
}
