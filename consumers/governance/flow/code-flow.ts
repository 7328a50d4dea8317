import type { Call, Edit, Hooks } from '../code/cursor.ts'
import { argumentsOf, runsText, runText, startsProgram } from '../code/programs.ts'
import { readCode } from '../code/reader.ts'
import { allIn, type Value } from '../code/values.ts'
import { downloadedFile, isDownload } from '../downloads.ts'
import { hostOf, urlsIn } from '../hosts.ts'
import type { Place } from '../place.ts'
import { isSecretName } from '../secret-names.ts'
import { SENSITIVE_PATH } from '../sensitive-sources.ts'
import { parseShell } from '../shell.ts'
import { allPipelines, baseName, type InlineCode } from '../shell-commands.ts'
import { sourceOf } from './shell-sources.ts'
import { inFile, keepFile, passedOn, type Taint, type Trace } from './taint.ts'

/** Secret content that a call sends: all of it (`trace`) or the value of one secret variable; `host` is null when unknown. */
export type CodeSend = { trace: Trace | null; secret: string | null; host: string | null; call: Call }
/** Text that is run as code or as a program although nobody saw it: fetched from a host, or decoded. */
export type CodeRun = { how: 'fetched' | 'decoded'; host: string; call: Call }
export type CodeFlow = { calls: Call[]; edits: Edit[]; sends: CodeSend[]; runs: CodeRun[] }

const SENDS =
  /^(?:requests\.(?:post|put|patch|request)|requests\.[Ss]ession\(\)\.(?:post|put|patch)|httpx\.(?:post|put|patch)|httpx\.\w{6,11}\(\)\.(?:post|put|patch)|aiohttp\.ClientSession\(\)\.(?:post|put)|urllib\.request\.(?:urlopen|Request)|urllib3\.PoolManager\(\)\.request|http\.client\.HTTPS?Connection\(\)\.(?:request|send)|fetch|axios(?:\.(?:post|put|patch|request))?|got(?:\.(?:post|put))?|superagent\.post|https?\.request\(\)\.(?:write|end)|(?:net|tls)\.(?:connect|createConnection|Socket)\(\)\.(?:write|end)|net\.Socket\(\)\.write|dgram\.createSocket\(\)\.send|socket\.(?:socket|create_connection)\(\)\.(?:send|sendall|sendto)|smtplib\.SMTP(?:_SSL)?\(\)\.(?:sendmail|send_message)|ftplib\.FTP(?:_TLS)?\(\)\.stor\w{4,6}|navigator\.sendBeacon|XMLHttpRequest\(\)\.send|invoke-webrequest|invoke-restmethod|net\.webclient\.upload\w{4,6}|net\.sockets\.\w{1,20}\.write)$/
// A request that only reads may carry data in its address.
const ASKS =
  /^(?:requests\.get|requests\.[Ss]ession\(\)\.get|httpx\.get|https?\.get|axios\.get|dns\.(?:resolve\w{0,5}|lookup)|socket\.(?:gethostbyname|getaddrinfo)|new Image\(\)\.src)$/
const FETCHES =
  /^(?:requests\.(?:get|post|request)|requests\.[Ss]ession\(\)\.(?:get|post)|httpx\.(?:get|post)|urllib\.request\.(?:urlopen|urlretrieve)|urllib3\.PoolManager\(\)\.request|fetch|axios(?:\.get|\.post)?|got|https?\.(?:get|request)|net\.webclient\.download\w{4,6}|invoke-webrequest|invoke-restmethod|wget\.download|socket\.(?:socket|create_connection)\(\)\.recv)$/
const OPENS =
  /^(?:open|io\.open|gzip\.open|bz2\.open|codecs\.open|os\.open|zipfile\.ZipFile|tarfile\.open|fs\.createWriteStream|fs\.createReadStream|fs\.open(?:Sync)?|Path|pathlib\.Path)$/
const READS =
  /^(?:fs\.(?:readFile|readFileSync|readdir|readdirSync)|os\.(?:listdir|walk|scandir)|glob\.i?glob|shutil\.make_archive|Path\(\)\.read_\w{4,5}|pathlib\.Path\(\)\.(?:read_\w{4,5}|r?glob|iterdir)|get-content|io\.file\.readall\w{4,5}|linecache\.getlines|configparser\.ConfigParser\(\)\.read)$/
const WRITES =
  /^(?:fs\.(?:writeFile|writeFileSync|appendFile|appendFileSync)|io\.file\.writeall\w{4,5}|set-content|add-content|out-file|tee-object)$/
const COPIES =
  /^(?:shutil\.(?:copy|copy2|copyfile|copytree|move)|fs\.(?:copyFile|copyFileSync|rename|renameSync)|copy-item)$/
const ALL_ENVIRONMENT = /^(?:os\.environ|os\.environb|process\.env|ENV)$/
const ONE_VARIABLE = /^(?:os\.environ|process\.env|ENV|env:)\.?(\w{1,80})$/

/**
 * Follows data through one program: sources are credential files, the environment and what earlier handlers kept;
 * sinks are calls that send, files that stay in `taint`, and calls that run what was fetched or decoded.
 */
export function codeFlow(
  { text, language, within }: InlineCode,
  taint: Taint,
  placeOf: (start: number, end: number) => Place,
): CodeFlow {
  const sends: CodeSend[] = []
  const runs: CodeRun[] = []
  const fetchedFiles = new Map<string, string>()
  const at = (start: number, end: number): Place =>
    within === null ? placeOf(start, end) : placeOf(within.start, within.end)
  const source = (what: string, start: number, end: number): Trace => ({ what, from: at(start, end), via: [] })

  const hooks: Hooks = {
    onName(path, start, end) {
      if (ALL_ENVIRONMENT.test(path)) return { trace: source('the environment', start, end) }
      const name = ONE_VARIABLE.exec(path)?.[1] ?? null
      if (name === null) return /^(?:os\.environ|process\.env)\.\*$/.test(path) ? { trace: null } : null
      if (/^(?:get|items|copy|values|keys|update|setdefault|pop)$/.test(name)) return null
      return ofVariable(name)
    },
    onStore(path, value) {
      const name = /^(?:os\.environ|process\.env)\.(\w{1,80})$/.exec(path)?.[1]
      if (name !== undefined && value.trace !== null) taint.variables.set(name, value.trace)
    },
    onCall(call) {
      return answer(call)
    },
  }

  function ofVariable(name: string): Partial<Value> {
    if (/^(?:HOME|USERPROFILE)$/i.test(name)) return { trace: null, text: '~' }
    const held = taint.variables.get(name) ?? null
    return { trace: held, secret: isSecretName(name) ? name : null }
  }

  function answer(call: Call): Partial<Value> | null {
    const { name, args, receiver, start, end } = call
    const first = args[0] ?? call.named.get('path') ?? call.named.get('uri')
    if (
      /^(?:os\.getenv|os\.environ\.(?:get|pop|setdefault)|environment\.getenvironmentvariable|Deno\.env\.get)$/.test(
        name,
      )
    )
      return first?.text == null ? { trace: null } : ofVariable(first.text)
    if (name === 'get-childitem' && /^env:/i.test(first?.text ?? ''))
      return { trace: source('the environment', start, end) }
    judge(call)
    keep(call)
    if (/Path(?:\.home)?\(\)\.(?:read_\w{4,5}|open)$/.test(name)) return opened(call, receiver ?? undefined)
    if (OPENS.test(name) || READS.test(name)) return opened(call, first)
    if (startsProgram(call)) return printedBy(call)
    if (FETCHES.test(name)) return { fetched: hostIn(call) ?? 'a host known when it runs', trace: null, secret: null }
    if (
      /\.(?:add|write)$/.test(name) &&
      receiver?.file != null &&
      first?.text != null &&
      SENSITIVE_PATH.test(first.text)
    )
      keepFile(taint, receiver.file, source(`the file ${first.text.slice(0, 80)}`, start, end))
    return null
  }

  function opened({ name, args, start, end, named }: Call, first: Value | undefined): Partial<Value> {
    const path = first?.text ?? null
    if (path === null) return {}
    const mode = args[1]?.text ?? named.get('mode')?.text ?? ''
    const file = OPENS.test(name) ? path : null
    // Its own path is no content, and a file that is written to is no source.
    if (/^[wax]/.test(mode) || /Write/.test(name)) return { file, trace: null, text: null }
    const held = SENSITIVE_PATH.test(path) ? source(`the file ${path.slice(0, 80)}`, start, end) : inFile(taint, path)
    const text = /Path$/.test(name) ? path : null
    return { file, text, trace: held, fetched: fetchedFiles.get(baseName(path)) ?? null }
  }

  /** What a program that it starts prints: a secret, or what it fetched. */
  function printedBy(call: Call): Partial<Value> {
    const line = argumentsOf(call).join(' ')
    if (line === '' || line.length > 4000) return { trace: null }
    const commands = allPipelines(parseShell(line), 2).flat()
    const fetches = commands.some((command) => isDownload(command) && downloadedFile(command) === null)
    const fetched = fetches ? { fetched: hostOf(urlsIn(line)[0] ?? '') ?? 'a host known when it runs' } : {}
    for (const command of commands) {
      const trace = sourceOf(command, taint, at(call.start, call.end))
      if (trace !== null) return { ...fetched, trace }
    }
    return { ...fetched, trace: null }
  }

  function keep(call: Call): void {
    const { name, args, receiver, start, end } = call
    const path = WRITES.test(name)
      ? (call.named.get('path') ?? call.named.get('filepath') ?? args.find(({ text: one }) => one !== null))?.text
      : COPIES.test(name)
        ? args[1]?.text
        : /(?:^|\.)urlretrieve$/.test(name)
          ? args[1]?.text
          : /\.write\w{0,12}$/.test(name)
            ? (receiver?.file ?? (/Path\(\)/.test(name) ? receiver?.text : null))
            : /\.pipe$/.test(name)
              ? args[0]?.file
              : null
    if (path == null) return
    const given = [...args, ...call.named.values(), ...(/\.pipe$/.test(name) && receiver !== null ? [receiver] : [])]
    const copied = COPIES.test(name) ? args[0]?.text : null
    const trace =
      copied != null && SENSITIVE_PATH.test(copied)
        ? source(`the file ${copied.slice(0, 80)}`, start, end)
        : (contentOf(given).trace ?? (copied == null ? null : inFile(taint, copied)))
    if (trace !== null) keepFile(taint, path, passedOn(trace, at(start, end)))
    const host = contentOf(given).fetched ?? (/urlretrieve$/.test(name) ? (hostIn(call) ?? 'a host') : null)
    if (host !== null) fetchedFiles.set(baseName(path), host)
  }

  function judge(call: Call): void {
    const { name, args, named, receiver } = call
    if (runsText(call)) {
      const given = runText(call)
      if (given?.fetched != null) runs.push({ how: 'fetched', host: given.fetched, call })
      else if (given?.decoded === true) runs.push({ how: 'decoded', host: '', call })
    } else if (startsProgram(call)) {
      const program = args[0]?.items[0] ?? args[0]
      const file = argumentsOf(call)
        .flatMap((one) => one.split(/\s+/))
        .map(baseName)
        .find((one) => fetchedFiles.has(one))
      if (file !== undefined) runs.push({ how: 'fetched', host: fetchedFiles.get(file) ?? '', call })
      else if (program?.fetched != null && !program.mixed) runs.push({ how: 'fetched', host: program.fetched, call })
      else if (program?.decoded === true && !program.mixed) runs.push({ how: 'decoded', host: '', call })
    }
    // A command put together at run time: what it sends is known, where to is not.
    const built =
      startsProgram(call) && args[0]?.text === null && /^(?:curl|wget|nc|ncat|scp|rsync)\s/.test(args[0]?.hint ?? '')
    if (built && args[0]?.trace != null) sends.push({ trace: args[0].trace, secret: null, host: hostIn(call), call })
    const asks = ASKS.test(name)
    if (!asks && !SENDS.test(name)) return
    // The options of a request name who asks and may: that is how logins work.
    const sent = [
      ...args,
      ...[...named]
        .filter(([field]) => !/^(?:headers|auth|verify|timeout|cert|credential)$/.test(field))
        .map(([, value]) => value),
    ]
    const { trace, secret } = contentOf(sent.flatMap(withoutHeaders))
    if (trace === null && (secret === null || asks)) return
    const host = hostIn(call) ?? (receiver === null ? null : hostIn({ ...call, args: [receiver, ...receiver.items] }))
    sends.push({ trace: trace === null ? null : passedOn(trace, at(call.start, call.end)), secret, host, call })
  }

  const { calls, edits } = readCode(text, language, hooks)
  return { calls, edits, sends, runs }
}

const OF_ASKER = /^(?:headers|auth|agent|method)$/
const withoutHeaders = (value: Value): Value[] =>
  [...value.named.keys()].some((field) => OF_ASKER.test(field))
    ? [...value.items, ...[...value.named].filter(([field]) => !OF_ASKER.test(field)).map(([, inner]) => inner)]
    : [value]

function contentOf(values: readonly Value[]): { trace: Trace | null; secret: string | null; fetched: string | null } {
  const held = values.flatMap((value) => allIn(value))
  return {
    trace: held.find(({ trace }) => trace !== null)?.trace ?? null,
    secret: held.find(({ secret }) => secret !== null)?.secret ?? null,
    fetched: held.find(({ fetched }) => fetched !== null)?.fetched ?? null,
  }
}

/** The host that a call names: in a URL, or as the host of a connection. */
function hostIn({ args, named }: Call): string | null {
  for (const value of [...args, ...named.values()].flatMap((one) => allIn(one))) {
    const url = urlsIn(value.text ?? value.hint ?? '')[0]
    if (url !== undefined) return hostOf(url)
    if (
      value.text !== null &&
      /^(?:[\w-]{1,63}\.){1,8}[a-z]{2,20}$|^\d{1,3}(?:\.\d{1,3}){3}$/i.test(value.text) &&
      !/\.(?:json|txt|py|js|sh|ya?ml|csv|log|zip|gz)$/i.test(value.text)
    )
      return value.text.toLowerCase()
  }
  return null
}
