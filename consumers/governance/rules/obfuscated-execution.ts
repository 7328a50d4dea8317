import { codeWords, runsStandardInput } from '../downloads.ts'
import type { Fact } from '../facts.ts'
import { hiddenIn } from '../hidden-characters.ts'
import type { PackageView } from '../package-view.ts'
import { isDecoder } from '../shell-decoding.ts'
import type { Call, CodePattern } from './matching.ts'
import { findingAt, inCode, inCommands, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

// A method of that name on some object runs nothing (`pattern.exec`, `model.eval`); on these it does.
const RUNS = String.raw`(?<![\w.$])(?:(?:Kernel|binding|globalThis|window|global|builtins|__builtins__|vm|self|require\(["'](?:node:)?vm["']\))\.)?(?:exec|eval|Function|execScript|instance_eval|class_eval|module_eval|run_code|Invoke-Expression|iex|runInThisContext|runInNewContext)\b`
const DECODES = String.raw`(?:b(?:64|32|85)decode|a85decode|decode64|decode_base64|atob\s?\(|fromhex|unhexlify|decompress|fromCharCode|fromCodePoint|base64_decode|gzinflate|str_rot13|marshal\.loads|Fernet|\.decrypt\(|unescape\(|decodeURIComponent\(|\.pack\(|\bchr\(|FromBase64String|rot_?13|\.decode\(|bytes\(\[|Buffer\.from\([^\n)]{0,400}["'](?:base64|hex)["'])`
const MANY_ESCAPES = String.raw`(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[0-7]{3}){3}`
const CODE: readonly CodePattern[] = [
  {
    pattern: /(?:["'`][A-Za-z0-9+/]{200,20000}={0,2}["'`][\s\S]{0,200}?){3}/,
    sign: sign('the code carries several encoded blocks', 'medium', 'low'),
  },
  {
    pattern: new RegExp(String.raw`${RUNS}\s{0,3}\(?[^\n;]{0,160}${DECODES}`),
    sign: sign('decoded text is executed', 'high', 'high'),
  },
  // A call over several lines: the argument is a function or a long literal that is taken apart before it runs.
  {
    pattern: new RegExp(
      String.raw`${RUNS}\s{0,3}\((?:\s{0,20}["'][A-Za-z0-9+/=]{60}|\s{0,10}function\b[\s\S]{0,600}?fromCharCode)`,
    ),
    sign: sign('encoded text is executed', 'high', 'high'),
  },
  {
    pattern: new RegExp(String.raw`${RUNS}\s{0,3}\(\s{0,10}[bru]{0,2}["'][^"'\n]{0,40}${MANY_ESCAPES}`),
    sign: sign('text in character codes is executed', 'high', 'high'),
  },
  {
    pattern: /\b(?:global|globalThis|window|self|this)\[[^\]\n]{0,60}["']\s?\+\s?["'][^\]\n]{0,60}\]\s?\(/,
    languages: ['node'],
    sign: sign('a function is called by a computed name', 'high', 'medium'),
  },
  {
    pattern:
      /\bgetattr\(\s{0,5}(?:builtins|__builtins__|__import__\([^)\n]{0,40}\)|os|sys)\s{0,3},\s{0,5}(?!["']\w+["']\s?[,)])[^)\n]{1,80}|__builtins__\s?\.\s?(?:getattr|__dict__)|\bglobals\(\)\s?\[[^\]\n]{0,60}(?:chr\(|decode|join)/,
    sign: sign('a function is called by a computed name', 'high', 'medium'),
  },
  {
    pattern: /(?:\b_0x[0-9a-f]{3,8}\b[\s\S]{0,400}?){4}/,
    languages: ['node'],
    sign: sign('the code is the output of an obfuscator', 'high', 'high'),
  },
  {
    pattern:
      /(?:\bchr\(\d{1,3}\)\s{0,3}\+\s{0,3}){4}|(?:\bString\.fromCharCode\((?:\s?\d{2,3}\s?,?){6})|(?:\[char\]\s?\d{2,3}\s?\+?\s?){5}/i,
    sign: sign('text is put together from character codes', 'high', 'medium'),
  },
  {
    pattern: /\bexec\(\s{0,3}(?:__import__\(|compile\()[^\n]{0,200}(?:decode|decompress|join)/,
    sign: sign('decoded text is executed', 'high', 'high'),
  },
  {
    pattern: /[^\s\n][ \t]{120,4000}[^\s#/]/,
    sign: sign('code stands far to the right of what a reader sees', 'high', 'high'),
  },
  {
    pattern:
      /\bsubprocess\.(?:Popen|run|call)\((?=[\s\S]{0,400}stdout\s?=\s?(?:subprocess\.)?DEVNULL)(?=[\s\S]{0,400}stderr\s?=\s?(?:subprocess\.)?DEVNULL)(?=[\s\S]{0,400}(?:stdin\s?=\s?(?:subprocess\.)?DEVNULL|start_new_session|creationflags|preexec_fn))/,
    languages: ['python'],
    sign: sign('a process is started so that nothing of it is seen', 'high', 'low'),
  },
  {
    pattern:
      /\bspawn(?:Sync)?\((?=[\s\S]{0,400}detached["']?\s?:\s?true)(?=[\s\S]{0,400}stdio["']?\s?:\s?["']ignore["'])/,
    languages: ['node'],
    sign: sign('a process is started so that nothing of it is seen', 'high', 'low'),
  },
  {
    pattern:
      /-(?:e|enc|encodedcommand)\s{1,4}[A-Za-z0-9+/=]{40}|-w[a-z]{0,11}\s{1,4}hidden[^\n]{0,200}(?:iex|DownloadString|-enc|DownloadFile)/i,
    sign: sign('an encoded command is executed', 'high', 'high'),
  },
]
const FROM_DECODER = new RegExp(String.raw`\b([A-Za-z_]\w{0,60})\s{0,4}=\s{0,4}[^\n=]{0,160}${DECODES}`, 'g')
const RUN_NAME = new RegExp(String.raw`${RUNS}\s{0,3}\(\s{0,5}(?:compile\(\s{0,3})?([A-Za-z_]\w{0,60})`, 'g')
const DYNAMIC_RUN = /\b(?:importlib\.import_module|__import__)\([\s\S]{0,2000}\bexec\(\s{0,3}[A-Za-z_]/

/** WPK-P3-006: what runs is not what a reader sees. */
export const obfuscatedExecution: Rule = {
  id: 'WPK-P3-006',
  version: 2,
  name: 'obfuscated execution',
  severity: 'high',
  about:
    'Text that is decoded and then executed (base64, hex, character codes, compression), also along variables, functions and other names; names of functions that are computed; the output of obfuscators; tricks with `IFS`; code far outside the visible column; characters that are invisible or look like others; processes started so that nothing of them is seen. Decoding into a file or a variable that is only stored is silent. What is decoded is read like any other command.',
  remediation: 'Write the command in plain text.',
  hygiene: false,
  check: (view) => {
    const found = [...inCommands(view, judge), ...inCode(view, CODE), ...alongVariables(view)]
    const told = new Set(found.map(({ pointer }) => pointer))
    return [...found, ...decodedRuns(view).filter(({ pointer }) => !told.has(pointer)), ...hidden(view)]
  },
}

/** Calls that run what was decoded, whatever it was called on the way. */
const decodedRuns = (view: PackageView): Finding[] =>
  view.facts.flatMap((fact) =>
    fact.code.flatMap((code) =>
      (code.runs ?? [])
        .filter(({ how }) => how === 'decoded')
        .map(({ call: { start, end } }) =>
          findingAt(
            fact,
            sign('decoded text is executed', 'high', 'high'),
            code.text.slice(start, end),
            code.within ?? { start, end },
          ),
        ),
    ),
  )

function judge({ name, args, line, command, pipeline, index, fact }: Call) {
  if (isDecoder(command) && pipeline.slice(index + 1).some(runsStandardInput))
    return sign('decoded text is executed', 'high', 'high')
  const words = codeWords(command)
  const inner = words.flatMap((word) => [...word.substitutions, ...word.processes].flat(2))
  if (
    inner.some((one) => /^(?:tr|rev)$/.test(one.words[0]?.text ?? '')) &&
    inner.some((one) => /^(?:echo|printf)$/.test(one.words[0]?.text ?? ''))
  )
    return sign('transformed text is executed', 'high', 'medium')
  if (
    inner.some(
      (one) =>
        one.words[0]?.text === 'printf' &&
        one.words.some(({ text }) => /(?:\\x[0-9a-f]{2}){2}|(?:\\[0-7]{3}){2}/i.test(text)),
    )
  )
    return sign('text in character codes is executed', 'high', 'high')
  if (
    words.some(({ text }) => decodedVariables(fact).some((variable) => new RegExp(`\\$\\{?${variable}\\b`).test(text)))
  )
    return sign('decoded text is executed', 'high', 'high')
  if (/^(?:\$\{?[A-Za-z_]\w{0,30}\}?){2,}$/.test(command.words[0]?.text ?? ''))
    return sign('the program is put together from variables', 'high', 'medium')
  if (words.some((word) => [...word.substitutions, ...word.processes].flat(2).some(isDecoder)))
    return sign('decoded text is executed', 'high', 'high')
  if (
    words.length > 0 &&
    /^(?:printf|echo)\b/.test(line) === false &&
    words.some(({ text }) => /(?:\\x[0-9a-f]{2}){6}/i.test(text))
  )
    return sign('text in character codes is executed', 'high', 'medium')
  const later = pipeline.slice(index + 1)
  if (
    /^(?:gzip|gunzip|zcat|xz|xzcat|bzip2|bzcat|openssl)$/.test(name) &&
    (/cat$|^gunzip/.test(name) || /(?:^| )-[a-zA-Z]*d/.test(line)) &&
    later.some(runsStandardInput)
  )
    return sign('packed text is executed', 'high', 'medium')
  if (later.some(runsStandardInput)) {
    if (
      /^(?:tr|rev|sed)$/.test(name) &&
      index > 0 &&
      /^(?:echo|printf|cat)$/.test(pipeline[0]?.words[0]?.text ?? '') &&
      pipeline[0]?.words.slice(1).every((word) => !word.text.includes('/'))
    )
      return sign('transformed text is executed', 'high', 'medium')
    if (/^(?:echo|printf)$/.test(name) && args.some((text) => /(?:\\x[0-9a-f]{2}){4}|(?:\\[0-7]{3}){4}/i.test(text)))
      return sign('text in character codes is executed', 'high', 'high')
  }
  if (command.words.some(({ text }) => /[\w/]\$\{?IFS\b/.test(text)))
    return sign('words are joined by IFS', 'high', 'high')
  return /^(?:pwsh|powershell(?:\.exe)?)$/i.test(name) &&
    /-(?:e|ec|enc|encodedcommand)\s+[A-Za-z0-9+/=]{20}/i.test(line)
    ? sign('an encoded command is executed', 'high', 'high')
    : null
}

/** Variables of a script that were filled by a decoder: `X=$(... | base64 -d)`. */
const decodedVariables = (fact: Fact): string[] => {
  const known = DECODED.get(fact)
  if (known !== undefined) return known
  const names = fact.pipelines
    .flat()
    .flatMap(({ assignments }) => assignments)
    .filter((word) => word.substitutions.flat(2).some(isDecoder))
    .flatMap(({ text }) => /^([A-Za-z_]\w{0,60})\+?=/.exec(text)?.[1] ?? [])
  DECODED.set(fact, names.slice(0, 20))
  return names.slice(0, 20)
}
const DECODED = new WeakMap<Fact, string[]>()

/** `x = b64decode(...)` and later `exec(x)`; modules loaded by name before a text is executed. */
const alongVariables = (view: PackageView): Finding[] =>
  view.facts.flatMap((fact) =>
    fact.code.flatMap(({ text }) => {
      const decoded = new Set([...text.matchAll(FROM_DECODER)].map((match) => match[1] ?? ''))
      const run = [...text.matchAll(RUN_NAME)].find((match) => decoded.has(match[1] ?? ''))
      if (run !== undefined) return [findingAt(fact, sign('decoded text is executed', 'high', 'high'), run[0])]
      return DYNAMIC_RUN.test(text)
        ? [findingAt(fact, sign('modules are loaded by name and text is executed', 'high', 'low'), 'exec')]
        : []
    }),
  )

const hidden = (view: PackageView): Finding[] =>
  view.facts.flatMap((fact: Fact) => {
    const what = fact.kind === 'command' || fact.kind === 'url' ? hiddenIn(fact.text) : null
    return what === null ? [] : [findingAt(fact, sign(`the text has ${what}`, 'high', 'high'), fact.bare)]
  })
