import type { Fact } from '../facts.ts'
import { hostOf, isAddress, isCollector, isCover, isLocalHost, urlsIn } from '../hosts.ts'
import { excerpt } from '../masking.ts'
import type { PackageView } from '../package-view.ts'
import type { Command, Pipeline } from '../shell.ts'
import type { InlineCode } from '../shell-commands.ts'
import { invocation, languageOf, pipelineText } from '../shell-commands.ts'
import { type Finding, firstOf, MAX_FINDINGS, type Rule } from './rule.ts'

const SOCKET = /\/dev\/(?:tcp|udp)\//
const NETCAT = new Set(['nc', 'ncat', 'netcat', 'nc.traditional', 'nc.openbsd'])
const TUNNELS = new Set(['ngrok', 'chisel', 'frpc', 'bore', 'gost', 'revsocks', 'cloudflared'])

/** WPK-P3-005: a shell is given to a network peer, or a tunnel for one is opened. */
export const reverseShell: Rule = {
  id: 'WPK-P3-005',
  version: 2,
  name: 'reverse shell or tunnel',
  severity: 'critical',
  about:
    'A shell connected to the network (`/dev/tcp`, `nc -e`, fifos, sockets of scripts) tunnels for one, and addresses of services at which programs meet who directs them (request bins, shorteners, chat webhooks). A port test or a plain client is silent.',
  remediation: 'Remove it; a package has no reason to hand a shell to a network peer.',
  hygiene: false,
  check: (view) =>
    view.facts
      .filter((fact) => fact.kind === 'command')
      .flatMap((fact) => [...shellsOf(fact), ...meetingPoints(fact, view)]),
}

function shellsOf(fact: Fact): Finding[] {
  const found: Finding[] = []
  const fifos = fact.pipelines.flat().some((command) => ['mkfifo', 'mknod'].includes(invocation(command).name))
  const openSocket = fact.pipelines.flat().some((command) => opensSocket(command))
  for (const pipeline of fact.pipelines) {
    if (found.length === MAX_FINDINGS) break
    if (pipeline.some(shellOnSocket) || pipeline.some(netcatRuns) || shellToNetcat(pipeline, fifos)) {
      found.push(finding(fact, pipelineText(pipeline), 'high', 'a shell is connected to the network'))
    } else if (openSocket && readsDescriptor(pipeline)) {
      found.push(finding(fact, pipelineText(pipeline), 'medium', 'a shell reads its commands from an open socket'))
    } else if (pipeline.some(opensTunnel)) {
      found.push({
        ...finding(fact, pipelineText(pipeline), 'medium', 'a tunnel to the outside is opened'),
        severity: 'high',
      })
    }
  }
  for (const code of firstOf(fact.code, codeConnectsShell)) {
    found.push(finding(fact, code.text, 'high', 'code connects a shell to a socket'))
  }
  return found
}

/** Addresses of services at which programs and their masters meet; a declared alert of the package is none. */
function meetingPoints(fact: Fact, view: PackageView): Finding[] {
  const urls = urlsIn(fact.bare.slice(0, 200_000)).filter((url) => !view.alertHosts.has(hostOf(url) ?? ''))
  const seen = (url: string): 'medium' | 'low' | null => {
    const host = hostOf(url) ?? ''
    if (isCollector(host)) return 'medium'
    return isCover(host) || (fact.code.length > 0 && isAddress(host) && !isLocalHost(host)) ? 'low' : null
  }
  return firstOf(urls, (url) => seen(url) !== null).map((url) => ({
    ...finding(fact, url, 'medium', 'a service is used at which programs meet who directs them'),
    severity: 'medium' as const,
    confidence: seen(url) ?? 'low',
  }))
}

const finding = (fact: Fact, text: string, confidence: 'high' | 'medium', what: string): Finding => ({
  pointer: fact.pointer,
  severity: 'critical',
  confidence,
  message: `${what}: ${excerpt(text)}`,
  matched: text,
})

const isShell = (command: Command): boolean => languageOf(invocation(command).name) === 'shell'

const shellOnSocket = (command: Command): boolean =>
  isShell(command) && command.redirects.some(({ target }) => SOCKET.test(target.text))

/** `exec 5<>/dev/tcp/...`; a mere test whether a port answers redirects into it without keeping it open. */
const opensSocket = (command: Command): boolean =>
  command.words[0]?.text === 'exec' &&
  command.redirects.some(({ op, target }) => /^\d/.test(op) && SOCKET.test(target.text))

const readsDescriptor = (pipeline: Pipeline): boolean =>
  pipeline.some((command) => {
    const fromDescriptor = command.redirects.some(({ op, target }) => op.endsWith('<&') && /^\d+$/.test(target.text))
    return fromDescriptor && (isShell(command) || pipeline.length > 1)
  })

function netcatRuns(command: Command): boolean {
  const { name, args } = invocation(command)
  const texts = args.map((word) => word.text)
  if (/^(?:[gmn]?awk)$/.test(name))
    return texts.some((text) => /\/inet[46]?\/(?:tcp|udp)\//.test(text) && /\|&/.test(text))
  if (NETCAT.has(name)) {
    return texts.some(
      (text, index) =>
        /^--(?:sh-)?exec$/.test(text) ||
        (/^-[a-z]*[ec]$/.test(text) && /(?:sh|bash|cmd\.exe|cmd)$/.test(texts[index + 1] ?? '')),
    )
  }
  return (
    name === 'socat' &&
    texts.some((text) => /^(?:EXEC|SYSTEM):/i.test(text)) &&
    texts.some((text) => /^(?:TCP|UDP|OPENSSL|SSL)/i.test(text))
  )
}

function shellToNetcat(pipeline: Pipeline, fifos: boolean): boolean {
  const names = pipeline.map((command) => invocation(command).name)
  const peer = (index: number): boolean => NETCAT.has(names[index] ?? '') || names[index] === 'telnet'
  // `telnet a | sh | telnet b`: what one peer sends is run, and the answer goes to another.
  if (pipeline.some((command, index) => isShell(command) && peer(index - 1) && peer(index + 1))) return true
  const shell = pipeline.findIndex(
    (command) => isShell(command) && (fifos || invocation(command).args.some((word) => /^-[a-z]*i/.test(word.text))),
  )
  const net = names.findIndex(
    (name, index) => index > shell && (NETCAT.has(name) || name === 'telnet' || name === 'openssl'),
  )
  const before = names.findIndex((name) => NETCAT.has(name) || name === 'telnet')
  return (
    shell !== -1 && (net !== -1 || (before !== -1 && before < shell && names.lastIndexOf(names[before] ?? '') > shell))
  )
}

function opensTunnel(command: Command): boolean {
  const { name, args } = invocation(command)
  if (name === 'tor' || /^proxychains4?$/.test(name)) return true
  const texts = args.map((word) => word.text)
  if (name === 'ssh' || name === 'autossh') return texts.some((text) => /^-[a-zA-Z]*R/.test(text))
  return (
    TUNNELS.has(name) && texts.some((text) => /^(?:tcp|http|client|tunnel|local)$/.test(text) || /server/.test(text))
  )
}

function codeConnectsShell({ text }: InlineCode): boolean {
  const socket =
    /\bsocket\.(?:socket|create_connection)\b|\bnet\.(?:connect|createConnection|Socket)\b|\brequire\(['"](?:node:)?net['"]\)|\bfrom ['"](?:node:)?net['"]|\bTCPSocket\.(?:new|open)\b|\bfsockopen\b|IO::Socket|\bSocket\b[\s\S]{0,200}\b(?:PF_|AF_)?INET\b|TCPClient/.test(
      text,
    )
  if (!socket) return false
  if (/TCPSocket[\s\S]{0,200}\.gets\b[\s\S]{0,200}IO\.popen\(/.test(text)) return true
  if (/\bGetStream\(\)/.test(text) && /\b(?:iex|Invoke-Expression)\b/i.test(text)) return true
  if (/\bsh -i\b[^\n]{0,20}[<>]&/.test(text)) return true
  if (/\bos\.dup2\b|\bpty\.spawn\b|open\s{0,2}\(?\s{0,2}STD(?:IN|OUT)\s{0,2},\s{0,2}["'][<>]&/.test(text)) return true
  const shell = /["'`](?:\/bin\/|\/usr\/bin\/)?(?:ba|z|da)?sh\b|cmd\.exe|powershell/.test(text)
  const run =
    /\b(?:spawn|exec|execSync|popen|proc_open|shell_exec|subprocess\.\w{1,20}|system|iex|Invoke-Expression)\s{0,2}[( ]/.test(
      text,
    )
  return shell && run && /\.pipe\(|<&|>&|stdin|recv|gets|GetStream/.test(text)
}
