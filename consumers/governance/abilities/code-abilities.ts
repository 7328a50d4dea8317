import type { Call } from '../code/cursor.ts'
import { isDecoding } from '../code/folding.ts'
import { argumentsOf, runsText, startsProgram } from '../code/programs.ts'
import { allIn } from '../code/values.ts'
import { hostOf, urlsIn } from '../hosts.ts'
import { isSecretName } from '../secret-names.ts'
import { SENSITIVE_PATH } from '../sensitive-sources.ts'
import { type Ability, isOutside, isStartedLater } from './shell-abilities.ts'

const TALKS =
  /^(?:requests\.\w+|requests\.[Ss]ession\(\)\.\w+|httpx\.\w+|aiohttp\.ClientSession\(\)\.\w+|urllib\.request\.\w+|urllib3\.PoolManager\(\)\.request|http\.client\.HTTPS?Connection|socket\.socket\(\)\.(?:connect|sendto)|socket\.create_connection|smtplib\.SMTP(?:_SSL)?|ftplib\.FTP(?:_TLS)?|paramiko\.SSHClient\(\)\.connect|fetch|axios(?:\.\w+)?|got(?:\.\w+)?|https?\.(?:get|request)|(?:net|tls)\.(?:connect|createConnection)|dns\.\w+|invoke-webrequest|invoke-restmethod|net\.webclient\.\w+|net\.sockets\.tcpclient)$/
const READS = /^(?:open|io\.open|fs\.readFile(?:Sync)?|get-content|io\.file\.read\w+|Path|pathlib\.Path)$/
const VARIABLES = /^(?:os\.getenv|os\.environ\.get|environment\.getenvironmentvariable|Deno\.env\.get)$/
const WRITES =
  /^(?:open|fs\.(?:writeFile|appendFile|createWriteStream|copyFile)(?:Sync)?|shutil\.(?:copy\w*|move)|set-content|add-content|out-file|copy-item|new-item)$/
const DESTROYS =
  /^(?:shutil\.rmtree|os\.(?:remove|unlink|rmdir|removedirs)|fs\.(?:rm|rmdir|unlink)(?:Sync)?|rimraf(?:\.\w+)?|remove-item|clear-disk|format-volume)$/

/** What one call of a program is able to do. */
export function abilitiesOfCall(call: Call): Ability[] {
  const { name, args, named } = call
  const found: Ability[] = []
  const can = (kind: Ability['kind'], detail: string): void => {
    found.push({ kind, detail })
  }
  const texts = [...args, ...named.values()]
    .flatMap((value) => allIn(value))
    .flatMap(({ text, hint }) => text ?? hint ?? [])
  const [first = ''] = texts
  if (TALKS.test(name)) {
    const url = texts.flatMap((text) => urlsIn(text))[0]
    const host = url === undefined ? texts.find((text) => /^[\w-]+(?:\.[\w-]+)+$/.test(text)) : hostOf(url)
    can('network_out', host ?? 'a host known when it runs')
  }
  if (READS.test(name) && SENSITIVE_PATH.test(first)) can('reads_secret', `the file ${first}`)
  if (VARIABLES.test(name) && isSecretName(first)) can('reads_secret', `$${first}`)
  const mode = args[1]?.text ?? named.get('mode')?.text ?? ''
  if (WRITES.test(name) && (name !== 'open' || /[wax+]/.test(mode))) {
    const path = /copy|move/i.test(name) ? (args[1]?.text ?? '') : (named.get('path')?.text ?? first)
    if (isStartedLater(path)) can('persistence', path)
    if (isOutside(path)) can('writes_outside', path)
  }
  if (/^winreg\.(?:SetValueEx|CreateKey)|^register-scheduledtask$|^new-service$/.test(name)) can('persistence', name)
  if (/^os\.set(?:e?uid|resuid)$/.test(name)) can('privilege', name)
  if (DESTROYS.test(name)) can('destroys', first || name)
  if (isDecoding(name, args)) can('decodes', name)
  if (startsProgram(call)) can('spawns', argumentsOf(call).join(' ') || name)
  if (runsText(call)) can('spawns', name)
  if (/^pip(?:\._internal)?\.(?:main|cli\.main\.main)$|^install-module$/.test(name)) can('installs', first || name)
  return found
}
