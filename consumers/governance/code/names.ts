import type { Language } from '../shell-commands.ts'

// Objects that stand for the whole program: a name is the same with and without them.
const GLOBALS = /^(?:globalThis|window|self|global|builtins|__builtins__|__builtin__|top)\.(?=.)/
const MODULES: Record<string, string> = {
  'fs.promises': 'fs',
  'timers.promises': 'timers',
  'dns.promises': 'dns',
  'process.binding': 'process',
  'urllib2.urlopen': 'urllib.request.urlopen',
  'urllib.urlopen': 'urllib.request.urlopen',
  posix: 'os',
  nt: 'os',
}
const POWERSHELL: Record<string, string> = {
  iex: 'invoke-expression',
  iwr: 'invoke-webrequest',
  wget: 'invoke-webrequest',
  curl: 'invoke-webrequest',
  irm: 'invoke-restmethod',
  gc: 'get-content',
  cat: 'get-content',
  type: 'get-content',
  gci: 'get-childitem',
  dir: 'get-childitem',
  ls: 'get-childitem',
  saps: 'start-process',
  start: 'start-process',
  ii: 'invoke-item',
  sc: 'set-content',
  ac: 'add-content',
  ni: 'new-item',
  cp: 'copy-item',
  copy: 'copy-item',
  icm: 'invoke-command',
  sajb: 'start-job',
}

/** One name for what may be written in several ways: `node:fs/promises` and `fs`, `globalThis.eval` and `eval`, `iex`. */
export function canonicalName(path: string, language: Language): string {
  if (language === 'powershell') {
    const name = path.replace(/^System\.(?=Net|IO|Text|Convert|Diagnostics|Reflection)/i, '').toLowerCase()
    return Object.hasOwn(POWERSHELL, name) ? (POWERSHELL[name] ?? name) : name
  }
  let name = path.replace(/^node:/, '').replaceAll('/', '.')
  for (let guard = 0; guard < 3 && GLOBALS.test(name); guard += 1) name = name.replace(GLOBALS, '')
  const [head = '', ...rest] = name.split('.')
  for (const known of [`${head}.${rest[0] ?? ''}`, head]) {
    if (Object.hasOwn(MODULES, known)) return (MODULES[known] ?? known) + name.slice(known.length)
  }
  return name
}
