import type { Fact } from '../facts.ts'
import { hostOf, isAddress, isCollector, isCover, isLocalHost, isVariableHost } from '../hosts.ts'
import { excerpt } from '../masking.ts'
import type { PackageView } from '../package-view.ts'
import { hostsInCode, type Sender, senderOf } from '../senders.ts'
import {
  SENSITIVE_PATH,
  secretVariable,
  sourceInWord,
  sourceOf,
  spread,
  type Taint,
  usesVariable,
} from '../sensitive-sources.ts'
import type { Pipeline } from '../shell.ts'
import { pipelineText } from '../shell-commands.ts'
import { type Finding, MAX_FINDINGS, type Rule } from './rule.ts'

type Destination = 'known' | 'outside' | 'collector' | 'unknown'
// Long random labels carry data to whoever answers for the domain.
const LONG_LABEL = /(?:^|\.)[A-Za-z0-9+=_-]{50,63}\./

/** WPK-P1-004: secrets, files or the environment flow to a receiver outside. One read or one send alone is no finding. */
export const dataExfiltration: Rule = {
  id: 'WPK-P1-004',
  version: 1,
  name: 'data exfiltration',
  severity: 'critical',
  about:
    'Secrets, credential files, the environment or encoded data that flow to a receiver outside, along pipes, files and variables of the handlers in their order. One read or one send alone is silent, and so are declared alert hosts and private addresses.',
  remediation: 'Send only what the receiver needs, to a host that the package declares.',
  hygiene: false,
  check: (view) => {
    const taint: Taint = { files: new Set(), variables: new Set() }
    return view.facts.flatMap((fact) => {
      if (fact.kind === 'command') return [...fromShell(fact, view, taint), ...fromCode(fact, view)]
      return fact.kind === 'url' && fact.area !== 'alert' ? fromRequest(fact, view) : []
    })
  },
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
    spread(pipeline, taint)
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
  if (sender.dns) return dnsFinding(fact, sender, text, taint)
  const before = sender.stdin
    ? pipeline
        .slice(0, index)
        .map((command) => sourceOf(command, taint))
        .find((item) => item !== null)
    : undefined
  const source = before ?? sourceInReads(sender, taint)
  if (source !== undefined) {
    return to === 'unknown'
      ? leaves(fact, text, source, 'high', 'medium')
      : leaves(fact, text, source, 'critical', 'high')
  }
  const variable = sender.reads.map((word) => secretVariable(word.text)).find((item) => item !== null)
  if (variable != null) {
    // Handing a client secret to a login service is how logins work: only a bare receiver makes it a finding that weighs.
    return to === 'collector'
      ? leaves(fact, text, `$${variable}`, 'critical', 'high')
      : to === 'outside'
        ? leaves(fact, text, `$${variable}`, 'medium', 'low')
        : null
  }
  const sendsFile =
    sender.reads.some((word) => /(?:^|[=@<])@?[\w./~-]+\.[a-z]{2,4}$|@/.test(word.text)) || (sender.stdin && index > 0)
  return to === 'collector' && sendsFile ? leaves(fact, text, 'local data', 'high', 'medium') : null
}

function sourceInReads(sender: Sender, taint: Taint): string | undefined {
  for (const word of sender.reads) {
    const inside = sourceInWord(word, taint)
    if (inside !== null) return inside
    const path = word.text.replace(/^.*?[@<]/, '').replace(/^-[dFT]/, '')
    if (SENSITIVE_PATH.test(word.text) && !/^https?:/.test(word.text)) return `the file ${path.slice(0, 80)}`
    if (taint.files.has(path) || taint.files.has(word.text)) return `the file ${path.slice(0, 80)}`
    if (usesVariable(word.text, taint.variables)) return 'a variable with secret content'
  }
  return undefined
}

function dnsFinding(fact: Fact, sender: Sender, text: string, taint: Taint): Finding | null {
  const name = sender.reads[0]
  if (name === undefined) return null
  const encoders = name.substitutions
    .flat(2)
    .some((command) => /^(?:base64|base32|xxd|od|hexdump|openssl)$/.test(command.words[0]?.text ?? ''))
  const source =
    sourceInWord(name, taint) ?? (usesVariable(name.text, taint.variables) ? 'a variable with secret content' : null)
  if (source !== null || encoders) return leaves(fact, text, source ?? 'encoded data', 'critical', 'high')
  return LONG_LABEL.test(name.text) ? leaves(fact, text, 'encoded data', 'high', 'medium') : null
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

function fromCode(fact: Fact, view: PackageView): Finding[] {
  return fact.code.flatMap(({ text }) => {
    if (LOOKUP_SENDS.test(text)) return [leaves(fact, text, 'encoded data', 'critical', 'medium')]
    if (!SENDS.test(text)) return []
    const hosts = hostsInCode(text).map((host) => ({ host, to: destinationOf(host, view) }))
    const outside = hosts.filter(({ to }) => to === 'outside' || to === 'collector')
    if (outside.length === 0) return []
    const bulk = BULK_ENVIRONMENT.test(text) || SENSITIVE_PATH.test(text)
    if (bulk) return [leaves(fact, text, 'the environment or a credential file', 'critical', 'medium')]
    const collector = outside.some(({ to }) => to === 'collector')
    if (ENV_SECRET.test(text))
      return [leaves(fact, text, 'a secret variable', collector ? 'critical' : 'medium', collector ? 'medium' : 'low')]
    // Who and where it runs, told to a chat or a service that hides its owner, is how malware reports in.
    if (IDENTITY.test(text) && outside.some(({ host, to }) => to === 'collector' || isCover(host)))
      return [leaves(fact, text, 'the identity of the machine', 'high', 'medium')]
    return outside.some(({ host }) => isAddress(host) || isCollector(host))
      ? [leaves(fact, text, 'data', 'high', 'medium')]
      : []
  })
}

/** An api handler: its url, and what its other values carry. */
function fromRequest(fact: Fact, view: PackageView): Finding[] {
  const to = destinationOf(hostOf(fact.text), view)
  if (to === 'known' || to === 'unknown') return []
  const config = fact.pointer.replace(/\/[^/]*$/, '')
  const carried = view.facts.filter(
    (other) => other.pointer.startsWith(`${config}/`) && other.kind !== 'header' && other !== fact,
  )
  const all = carried.find((other) =>
    /toJSON\(\s{0,3}secrets\s{0,3}\)|\$\{\{\s{0,3}secrets\s{0,3}\}\}/.test(other.text),
  )
  if (all !== undefined) return [leaves(all, `${fact.text} ${all.text}`, 'all secrets', 'critical', 'high')]
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

function destinationOf(host: string | null, view: PackageView): Destination {
  if (host === null || isVariableHost(host)) return 'unknown'
  if (view.alertHosts.has(host) || isLocalHost(host)) return 'known'
  return isCollector(host) || isAddress(host) ? 'collector' : 'outside'
}

const leaves = (
  fact: Fact,
  text: string,
  source: string,
  severity: Finding['severity'],
  confidence: Finding['confidence'],
): Finding => ({
  pointer: fact.pointer,
  severity,
  confidence,
  message: `${excerpt(source)} leaves the system: ${excerpt(text)}`,
  matched: text,
})
