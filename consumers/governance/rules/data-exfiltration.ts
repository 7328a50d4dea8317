import type { Fact } from '../facts.ts'
import { type CodeSend, codeFlow } from '../flow/code-flow.ts'
import { sourceInSent, sourceInWord, sourceOf } from '../flow/shell-sources.ts'
import { spread } from '../flow/spread.ts'
import { flowSteps } from '../flow/steps.ts'
import { inFile, inText, namedSecret, noTaint, type Taint, type Trace } from '../flow/taint.ts'
import { hostOf, isAddress, isCollector, isCover, isLocalHost, isVariableHost } from '../hosts.ts'
import { excerpt } from '../masking.ts'
import type { PackageView } from '../package-view.ts'
import { placeIn, wholeOf } from '../place.ts'
import { hostsInCode, type Sender, senderOf } from '../senders.ts'
import { SENSITIVE_PATH, secretVariable } from '../sensitive-sources.ts'
import type { Pipeline, TextRange } from '../shell.ts'
import { type InlineCode, pipelineText, rangeOf } from '../shell-commands.ts'
import { type Finding, MAX_FINDINGS, type Rule } from './rule.ts'

type Destination = 'known' | 'outside' | 'collector' | 'unknown'
// Long random labels carry data to whoever answers for the domain.
const LONG_LABEL = /(?:^|\.)[A-Za-z0-9+=_-]{50,63}\./

/** WPK-P1-004: secrets, files or the environment flow to a receiver outside. One read or one send alone is no finding. */
export const dataExfiltration: Rule = {
  id: 'WPK-P1-004',
  version: 2,
  name: 'data exfiltration',
  severity: 'critical',
  about:
    'Secrets, credential files, the environment or encoded data that flow to a receiver outside, along pipes, files, archives, variables, outputs of handlers and the calls of Python, JavaScript and PowerShell, in the order of the handlers; the finding names where they were read. One read or one send alone is silent, and so are declared alert hosts and private addresses.',
  remediation: 'Send only what the receiver needs, to a host that the package declares.',
  hygiene: false,
  check: (view) => {
    const taint = noTaint()
    let handler: Fact | null = null
    return view.facts.flatMap((fact) => {
      if (handler?.area !== fact.area || handler.handler !== fact.handler) {
        if (handler !== null) keepOutput(handler, view, taint)
        handler = fact
        keepSettings(fact, view, taint)
      }
      if (fact.kind === 'command') return [...fromShell(fact, view, taint), ...fromCode(fact, view, taint)]
      return fact.kind === 'url' && fact.area !== 'alert' ? fromRequest(fact, view, taint) : []
    })
  },
}

const DUMP = /^the output of (?:\w+dump|pg_dumpall)$/
const ALL_SECRETS = /toJSON\(\s{0,3}secrets\s{0,3}\)|\$\{\{\s{0,3}secrets\s{0,3}\}\}/
const ofSameHandler = (one: Fact, other: Fact): boolean => one.area === other.area && one.handler === other.handler

/** Variables of a handler's configuration stand before its commands, wherever the document has them. */
function keepSettings(first: Fact, view: PackageView, taint: Taint): void {
  taint.named.clear()
  for (const fact of view.facts) {
    if (fact.kind !== 'env' || !ofSameHandler(fact, first)) continue
    const here = wholeOf(fact)
    const trace = ALL_SECRETS.test(fact.text) ? { what: 'all secrets', from: here, via: [] } : inText(taint, fact.text)
    if (trace !== null) taint.variables.set(fact.name, trace)
    else if (secretVariable(fact.text) !== null || /^(?:vault|secret|ssm|sm|op):/.test(fact.text))
      taint.named.set(fact.name, { what: `$${fact.name}`, from: here, via: [] })
  }
}

/** What a handler prints is what later ones get by its name (`${steps.name.output}`). */
function keepOutput(last: Fact, view: PackageView, taint: Taint): void {
  const name = last.area === 'handler' ? view.wpk.spec.handlers[last.handler]?.name : undefined
  if (name === undefined || view.facts.every(({ text }) => !text.includes(name))) return
  for (const fact of view.facts) {
    if (fact.kind !== 'command' || !ofSameHandler(fact, last)) continue
    for (const pipeline of fact.pipelines) {
      const end = pipeline.at(-1)
      if (end === undefined || end.captured || end.redirects.some(({ op }) => /^1?&?>/.test(op))) continue
      const trace = firstSource(fact, pipeline, taint)
      if (trace !== null) taint.outputs.set(name, trace)
    }
  }
}

function firstSource(fact: Fact, pipeline: Pipeline, taint: Taint): Trace | null {
  for (const command of pipeline) {
    const trace = sourceOf(command, taint, placeIn(fact, command.range))
    if (trace !== null) return trace
  }
  return null
}

function fromShell(fact: Fact, view: PackageView, taint: Taint): Finding[] {
  const found: Finding[] = []
  for (const pipeline of fact.pipelines) {
    pipeline.forEach((command, index) => {
      const sender = senderOf(command)
      if (sender === null || found.length >= MAX_FINDINGS) return
      const finding = judge(fact, pipeline, index, sender, view, taint)
      if (finding !== null) found.push(finding)
    })
    spread(fact, pipeline, taint)
  }
  return found
}

function judge(
  fact: Fact,
  pipeline: Pipeline,
  index: number,
  sender: Sender,
  view: PackageView,
  taint: Taint,
): Finding | null {
  const to = sender.dns ? 'outside' : destinationOf(sender.host, view)
  if (to === 'known') return null
  const text = pipelineText(pipeline)
  const range = rangeOf(pipeline)
  const here = placeIn(fact, pipeline[index]?.range ?? null)
  if (sender.dns) return dnsFinding(fact, sender, text, range, taint)
  const source =
    (sender.stdin ? firstSource(fact, pipeline.slice(0, index), taint) : null) ??
    sourceInSent(sender.reads, taint, here)
  // Dumps of a database into a bucket are what backups are.
  if (source !== null && sender.store === true && DUMP.test(source.what)) return null
  if (source !== null) {
    return to === 'unknown'
      ? leaves(fact, text, source, 'high', 'medium', range)
      : leaves(fact, text, source, 'critical', 'high', range)
  }
  const variable = sender.reads
    .map((word) => secretVariable(word.text) ?? namedSecret(taint, word.text))
    .find((item) => item !== null)
  if (variable != null) {
    // Handing a client secret to a login service is how logins work: only a bare receiver makes it a finding that weighs.
    return to === 'collector'
      ? leaves(fact, text, `$${variable}`, 'critical', 'high', range)
      : to === 'outside'
        ? leaves(fact, text, `$${variable}`, 'medium', 'low', range)
        : null
  }
  const sendsFile =
    sender.reads.some((word) => /(?:^|[=@<])@?[\w./~-]+\.[a-z]{2,4}$|@/.test(word.text)) || (sender.stdin && index > 0)
  return to === 'collector' && sendsFile ? leaves(fact, text, 'local data', 'high', 'medium', range) : null
}

function dnsFinding(fact: Fact, sender: Sender, text: string, range: TextRange | null, taint: Taint): Finding | null {
  const name = sender.reads[0]
  if (name === undefined) return null
  const encoders = name.substitutions
    .flat(2)
    .some((command) => /^(?:base64|base32|xxd|od|hexdump|openssl)$/.test(command.words[0]?.text ?? ''))
  const source = sourceInWord(name, taint, placeIn(fact, range)) ?? inText(taint, name.text)
  if (source !== null || encoders) return leaves(fact, text, source ?? 'encoded data', 'critical', 'high', range)
  return LONG_LABEL.test(name.text) ? leaves(fact, text, 'encoded data', 'high', 'medium', range) : null
}

const BULK_ENVIRONMENT =
  /\bdict\(\s{0,3}os\.environ|json\.dumps\([^\n]{0,40}os\.environ\b(?!\s{0,2}[.[])|\bstr\(\s?os\.environ\s?\)|os\.environ\.(?:copy|items)\(|\*\*os\.environ|JSON\.stringify\(\s{0,3}process\.env\s{0,3}[),]|\bENV\.to_(?:h|a|hash)\b|printenv|[=:]\s{0,3}process\.env\s{0,3}[;\n,})]|\.\.\.process\.env\b|Get-ChildItem\s+env:|gci\s+env:/i
const ENV_SECRET =
  /(?:os\.environ(?:\.get\(|\[)|os\.getenv\(|ENV\[|process\.env[.[])\s{0,2}["']?\w{0,40}(?:SECRET|TOKEN|PASSWORD|PRIVATE_KEY|API_KEY|CREDENTIAL)/
const SENDS =
  /requests\.(?:post|put|patch)|urlopen\(|httpx\.(?:post|put)|session\.post|method["']?\s{0,3}:\s{0,3}["'](?:POST|PUT)|axios\.(?:post|put)|https?\.request\(|Net::HTTP\.post|(?:HTTParty|RestClient|Faraday)\.(?:post|put)|smtplib|\.sendall?\(|\.sendmail\(|\.request\(\s?["'](?:POST|PUT)|sendBeacon|XMLHttpRequest|(?:Invoke-(?:WebRequest|RestMethod)|\biwr|\birm)\b[^\n]{0,200}-Method\s+(?:POST|PUT)|UploadString|UploadData|file_get_contents\(\s?["']https?:[^\n]{0,200}["']\s?\.|curl_setopt\([^\n]{0,80}POSTFIELDS/i
// A looked-up name that carries data to whoever answers for the domain.
const LOOKUP_SENDS =
  /(?:\bdns\b[\s\S]{0,200}?|\b\w{1,20})\.(?:resolve\w{0,5}|lookup|gethostbyname|getaddrinfo)\(\s?[^\n;]{0,200}(?:hex|base64|b64encode|encode\()[^\n;]{0,200}\+\s?["'`]\.?[\w-]{1,60}\.[\w.-]{2,100}/
const IDENTITY = /os\.userInfo\(|os\.hostname\(|getpass\.getuser|gethostname\(|\bwhoami\b/

/** What a program sends, followed from its source; where it cannot be read, that it has both a source and a sink. */
function fromCode(fact: Fact, view: PackageView, taint: Taint): Finding[] {
  const followed = fact.code
    .filter(({ calls }) => calls !== undefined)
    .flatMap((code) =>
      codeFlow(code, taint, (start, end) => placeIn(fact, { start, end })).sends.flatMap((send) =>
        ofSend(fact, code, send, view),
      ),
    )
  return followed.length > 0 ? followed.slice(0, MAX_FINDINGS) : byPattern(fact, view).slice(0, 1)
}

function ofSend(fact: Fact, code: InlineCode, { trace, secret, host, call }: CodeSend, view: PackageView): Finding[] {
  const to = host === null ? worstIn(code.text, view) : destinationOf(host, view)
  if (to === 'known') return []
  const text = code.text.slice(call.start, call.end)
  const range = code.within ?? { start: call.start, end: call.end }
  if (trace !== null)
    return [
      leaves(fact, text, trace, to === 'unknown' ? 'high' : 'critical', to === 'unknown' ? 'medium' : 'high', range),
    ]
  if (to === 'unknown') return []
  const collector = to === 'collector'
  return [leaves(fact, text, `$${secret}`, collector ? 'critical' : 'medium', collector ? 'high' : 'low', range)]
}

/** Where data may go that leave for a host which the call itself does not name: the worst that the code speaks of. */
function worstIn(text: string, view: PackageView): Destination {
  const named = hostsInCode(text).map((host) => destinationOf(host, view))
  return (
    named.find((to) => to === 'collector') ??
    named.find((to) => to === 'outside') ??
    named.find((to) => to === 'known') ??
    'unknown'
  )
}

function byPattern(fact: Fact, view: PackageView): Finding[] {
  return fact.code.flatMap(({ text, calls }) => {
    if (LOOKUP_SENDS.test(text)) return [leaves(fact, text, 'encoded data', 'critical', 'medium')]
    if (!SENDS.test(text)) return []
    const hosts = hostsInCode(text).map((host) => ({ host, to: destinationOf(host, view) }))
    const outside = hosts.filter(({ to }) => to === 'outside' || to === 'collector')
    if (outside.length === 0) return []
    // Code that was read and shows no way from one to the other is less sure to have one.
    const severity = calls === undefined ? 'critical' : 'high'
    const bulk = BULK_ENVIRONMENT.test(text) || SENSITIVE_PATH.test(text)
    if (bulk) return [leaves(fact, text, 'the environment or a credential file', severity, 'medium')]
    const collector = outside.some(({ to }) => to === 'collector')
    // In code that was read, a secret in a header is a login and was not followed any further.
    if (ENV_SECRET.test(text) && (calls === undefined || collector))
      return [leaves(fact, text, 'a secret variable', collector ? severity : 'medium', collector ? 'medium' : 'low')]
    // Who and where it runs, told to a chat or a service that hides its owner, is how malware reports in.
    if (IDENTITY.test(text) && outside.some(({ host, to }) => to === 'collector' || isCover(host)))
      return [leaves(fact, text, 'the identity of the machine', 'high', 'medium')]
    return outside.some(({ host }) => isAddress(host) || isCollector(host))
      ? [leaves(fact, text, 'data', 'high', 'medium')]
      : []
  })
}

/** An api handler: its url, and what its other values carry. */
function fromRequest(fact: Fact, view: PackageView, taint: Taint): Finding[] {
  const to = destinationOf(hostOf(fact.text), view)
  if (to === 'known' || to === 'unknown') return []
  const config = fact.pointer.replace(/\/[^/]*$/, '')
  const carried = view.facts.filter(
    (other) => other.pointer.startsWith(`${config}/`) && other.kind !== 'header' && other !== fact,
  )
  const all = carried.find((other) => ALL_SECRETS.test(other.text))
  if (all !== undefined) return [leaves(all, `${fact.text} ${all.text}`, 'all secrets', 'critical', 'high')]
  for (const other of [fact, ...carried]) {
    const trace = inText(taint, other.text) ?? (/^@|^\/|^~\//.test(other.text) ? sentFile(taint, other) : null)
    if (trace !== null)
      return [leaves(other, `${fact.text} ${other.text}`, trace, 'critical', 'high', wholeOf(other).range)]
  }
  const secret = [fact, ...carried].find((other) => secretVariable(other.text) !== null)
  if (secret === undefined) return []
  const severity = to === 'collector' ? 'critical' : 'medium'
  return [
    leaves(
      secret,
      `${fact.text} ${secret.text}`,
      `$${secretVariable(secret.text)}`,
      severity,
      to === 'collector' ? 'high' : 'low',
    ),
  ]
}

const sentFile = (taint: Taint, fact: Fact): Trace | null => {
  const path = fact.text.replace(/^@/, '')
  if (fact.text.startsWith('@') && SENSITIVE_PATH.test(path))
    return { what: `the file ${path.slice(0, 80)}`, from: wholeOf(fact), via: [] }
  return inFile(taint, path)
}

function destinationOf(host: string | null, view: PackageView): Destination {
  if (host === null || isVariableHost(host)) return 'unknown'
  if (view.alertHosts.has(host) || isLocalHost(host)) return 'known'
  return isCollector(host) || isAddress(host) ? 'collector' : 'outside'
}

/** The finding at the sink; a source that stands elsewhere is named with its place. */
function leaves(
  fact: Fact,
  text: string,
  source: Trace | string,
  severity: Finding['severity'],
  confidence: Finding['confidence'],
  range?: TextRange | null,
): Finding {
  const trace = typeof source === 'string' ? null : source
  const place = placeIn(fact, range ?? null)
  const elsewhere = trace !== null && trace.from.pointer !== fact.pointer ? `, read at ${trace.from.pointer},` : ''
  return {
    pointer: fact.pointer,
    ...(range === undefined ? {} : { range: place.range }),
    severity,
    confidence,
    message: `${excerpt(trace?.what ?? String(source))}${elsewhere} leaves the system: ${excerpt(text)}`,
    matched: text,
    ...(trace === null ? {} : { flow: flowSteps(trace.from, trace.via, place) }),
  }
}
