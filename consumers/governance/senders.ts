import { COMMITTED } from './flow/taint.ts'
import { hostOf, urlsIn } from './hosts.ts'
import type { Command, Word } from './shell.ts'
import { invocation } from './shell-commands.ts'

/**
 * A command that sends data away: `host` where it goes (null when unknown), `reads` the files and texts it sends,
 * `stdin` true when it sends what is piped into it, `dns` true when the data travel in a looked-up name, `store` when
 * they go into a bucket: whose it is, its name does not say.
 */
export type Sender = { host: string | null; reads: Word[]; stdin: boolean; dns: boolean; store?: true }

const DATA_FLAG =
  /^(?:-d|--data|--data-ascii|--data-binary|--data-raw|--data-urlencode|-F|--form|--form-string|--json|-T|--upload-file|--post-data|--post-file|--body-data|--body-file)$/
const DATA_JOINED =
  /^(?:--(?:data(?:-\w+)?|form|json|upload-file|post-data|post-file|body-data|body-file)=|-[dFT](?=.))/

/** How a command sends data, or null for one that does not. */
export function senderOf(command: Command): Sender | null {
  const { name, args } = invocation(command)
  const socket = command.redirects.find(({ target }) => /\/dev\/(?:tcp|udp)\//.test(target.text))
  if (socket !== undefined)
    return { host: socket.target.text.split('/')[3] ?? null, reads: args, stdin: true, dns: false }
  if (name === 'curl' || name === 'wget' || name === 'http' || name === 'xh') return httpSender(args)
  if (/^(?:nc|ncat|netcat|telnet|socat)$/.test(name)) return plainSender(command, args)
  if (name === 'rclone') return remoteSender(args)
  if (name === 'gh') return gistSender(args)
  if (/^(?:scp|rsync|sftp|lftp|ftp)$/.test(name)) return copySender(args)
  if (/^(?:aws|gsutil|gcloud|s3cmd|mc|az)$/.test(name)) return storeSender(args)
  if (/^(?:dig|nslookup|host|drill)$/.test(name)) return dnsSender(args)
  if (name === 'ping') {
    const pattern = args.findIndex((word) => word.text === '-p')
    const data = pattern === -1 ? undefined : args[pattern + 1]
    return data === undefined || !data.text.includes('$')
      ? null
      : { host: args.at(-1)?.text ?? null, reads: [data], stdin: false, dns: true }
  }
  if (name === 'git' && args.some(({ text }) => text === 'push')) return pushSender(args)
  if (/^(?:mail|mailx|sendmail|mutt)$/.test(name))
    return { host: args.at(-1)?.text.split('@')[1] ?? null, reads: args, stdin: true, dns: false }
  return null
}

function httpSender(args: readonly Word[]): Sender | null {
  const reads: Word[] = []
  let url: Word | undefined
  args.forEach((word, index) => {
    if (DATA_FLAG.test(word.text)) {
      const value = args[index + 1]
      if (value !== undefined) reads.push(value)
    } else if (DATA_JOINED.test(word.text)) reads.push(word)
    if (/^https?:\/\//i.test(word.text)) url = word
  })
  const carriesQuery = url !== undefined && /[?/=][^\s]*(?:\$|`)/.test(url.text)
  if (reads.length === 0 && !carriesQuery) return null
  if (url !== undefined && carriesQuery) reads.push(url)
  const target = url ?? args.findLast((word) => !word.text.startsWith('-') && !reads.includes(word))
  const stdin = reads.some((word) => /(?:^|[@=<])-$/.test(word.text) || /=@-$/.test(word.text))
  return { host: hostOf(target?.text ?? '') ?? hostOf(`//${target?.text ?? ''}`), reads, stdin, dns: false }
}

function plainSender(command: Command, args: readonly Word[]): Sender | null {
  const texts = args.map((word) => word.text)
  if (texts.some((text) => /^-[a-z]*[zl]/.test(text))) return null // a port test or a listener
  const target = texts
    .map((text) => /^(?:tcp|udp|openssl)[46]?(?:-connect)?:([^:]+)/i.exec(text)?.[1] ?? text)
    .find((text) => /[.$]/.test(text) && !text.startsWith('-'))
  const files = command.redirects.filter(({ op }) => op === '<').map(({ target: file }) => file)
  return { host: target?.toLowerCase() ?? null, reads: files, stdin: true, dns: false }
}

function copySender(args: readonly Word[]): Sender | null {
  const remote = args.findIndex(
    (word) => /^(?:[\w.-]+@)?[\w.$-]+:(?!\\)/.test(word.text) || /^rsync:\/\//.test(word.text),
  )
  const last = args.length - 1
  if (remote !== last || last < 1) return null // from there to here, or a plain local copy
  const host = /^(?:[^@]*@)?([^:/]+):/.exec(args[last]?.text ?? '')?.[1] ?? null
  const skip = new Set(args.flatMap((word, index) => (/^-(?:i|F|o|P|l|e)$/.test(word.text) ? [index, index + 1] : [])))
  return { host, reads: args.filter((_word, index) => index < last && !skip.has(index)), stdin: false, dns: false }
}

/** A push takes along what was committed; a remote that was named before is only known when it runs. */
function pushSender(args: readonly Word[]): Sender {
  const remote = args.find(({ text }) => /^(?:https?|ssh|git):\/\/|^[\w.-]+@[\w.-]+:/.test(text))?.text ?? ''
  const host = hostOf(remote) ?? /^[\w.-]+@([\w.-]+):/.exec(remote)?.[1]?.toLowerCase() ?? null
  return {
    host,
    reads: [{ text: COMMITTED, quoted: true, substitutions: [], processes: [] }],
    stdin: false,
    dns: false,
  }
}

const INTO_STORE = /^(?:s3api put-object|(?:s3|storage) (?:cp|mv|sync)|storage blob upload|cp|mv|put|rsync)\b/

function storeSender(args: readonly Word[]): Sender | null {
  const plain = args.filter(({ text }) => !text.startsWith('-'))
  if (!INTO_STORE.test(plain.map(({ text }) => text).join(' '))) return null
  const named = args.findIndex(({ text }) => /^(?:--body|--file|-f)$/.test(text)) + 1
  // From a bucket to here, and from one bucket to another, nothing of the machine leaves.
  const into = plain.findIndex(({ text }) => /^(?:s3|gs):\/\//.test(text))
  const reads = named > 0 ? args.slice(named, named + 1) : plain.slice(0, Math.max(into, 0))
  const stdin = into >= 0 && args.some(({ text }) => text === '-')
  return reads.length === 0 && !stdin ? null : { host: null, reads, stdin, dns: false, store: true }
}

/** `rclone copy file remote:path`: the remote is a name of its configuration. */
function remoteSender(args: readonly Word[]): Sender | null {
  const plain = args.filter(({ text }) => !text.startsWith('-'))
  const sends =
    /^(?:copy|copyto|move|moveto|sync|rcat)$/.test(plain[0]?.text ?? '') && /:/.test(plain.at(-1)?.text ?? '')
  if (!sends) return null
  return { host: null, reads: plain.slice(1, -1), stdin: plain[0]?.text === 'rcat', dns: false, store: true }
}

function gistSender(args: readonly Word[]): Sender | null {
  const [what, verb, ...rest] = args.filter(({ text }) => !text.startsWith('-') || text === '-')
  if (what?.text !== 'gist' || verb?.text !== 'create') return null
  return { host: 'gist.github.com', reads: rest, stdin: rest.length === 0 || rest[0]?.text === '-', dns: false }
}

function dnsSender(args: readonly Word[]): Sender | null {
  const name = args.find((word) => word.text.includes('.') && !word.text.startsWith('@') && !word.text.startsWith('+'))
  return name === undefined ? null : { host: name.text.toLowerCase(), reads: [name], stdin: false, dns: true }
}

const NAMED_HOST =
  /\b(?:hostname|host)["']?\s?[:=]\s?["']([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})["']|\b(?:HTTPS?Connection|SMTP(?:_SSL)?|FTP|create_connection\(|connect\()\(?\(?\s?["']([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})["']/g

/** Hosts that a piece of code names: in URLs and as the peer of a connection. */
export const hostsInCode = (text: string): string[] => [
  ...urlsIn(text).flatMap((url) => hostOf(url) ?? []),
  ...[...text.matchAll(NAMED_HOST)].map(([, option, peer]) => (option ?? peer ?? '').toLowerCase()),
]
