import type { Call, CodePattern } from './matching.ts'
import { inCode, inCommands, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const READS =
  /^(?:cat|less|more|head|tail|cp|mv|tar|zip|7z|base64|base32|xxd|od|hexdump|strings|nl|tac|cut|awk|sed|dd|scp|rsync|curl|wget|find|gpg|unshadow|john|sqlite3|install)$/
// Keys and account files: nothing but their owner's login needs to read them.
const KEYS =
  /\/etc\/(?:g?shadow|sudoers\b|krb5\.keytab)|(?:^|[/~"'=@])\.ssh\/(?:id_|\*|$|identity)|\bid_(?:rsa|ed25519|ecdsa|dsa)\b(?!\.pub)|\.aws[/\\]{1,2}credentials|\.azure\/|\.gnupg\/|\.git-credentials|\.netrc\b|\.pgpass|\.(?:bash|zsh|psql|mysql)_history|\.config\/gcloud|application_default_credentials|\/proc\/(?:self|\d{1,7}|\*|\$\w{1,20})\/(?:environ|mem|maps)|\/dev\/(?:k?mem|fmem)|\/proc\/kcore|Login Data\b|(?:google-chrome|chromium|Chrome|BraveSoftware|Edge)\/[^\n'"]{0,60}Cookies\b|(?:logins|key4)\.(?:json|db)|Local State\b|cookies\.sqlite|wallet\.dat|(?:Exodus|Electrum|Ethereum)\/|\/etc\/kubernetes\/(?:admin|pki)|Library\/Keychains|System32[\\/]{1,2}config/i
const METADATA =
  /169\.254\.169\.254\/(?:latest\/(?:meta-data\/iam|api\/token|user-data)|metadata\/identity)|metadata\.google\.internal\/[^\s'"]{0,120}(?:token|identity)|169\.254\.170\.2|100\.100\.100\.200/
const WATCHES =
  /^(?:tcpdump|tshark|dumpcap|ettercap|gcore|procdump|mimikatz|lazagne|screencapture|scrot|xinput|xwd|xsel|xclip|wl-paste|pbpaste|arecord|logkeys|pspy\d{0,2}|mimipenguin|linpeas(?:\.sh)?)$/i

const SEARCHES_SECRETS =
  /(?=.{0,200} -[a-zA-Z]*[rR])(?=.{0,200}(?:passw|secret|private.key|aws_|api.?key|token|AKIA)).{0,400} (?:\/(?:home|root|etc|opt|var|$| )|~|\$HOME)/i

const CODE: readonly CodePattern[] = [
  {
    pattern: new RegExp(`["'\`][^"'\`\\n]{0,120}(?:${KEYS.source})`, 'i'),
    sign: sign('code names a file of credentials', 'high', 'medium'),
  },
  {
    pattern: /["'`]\/etc\/passwd["'`]|%x[([{]\s?cat \/etc\/passwd/,
    sign: sign('code reads the accounts of the machine', 'medium', 'medium'),
  },
  { pattern: METADATA, sign: sign('code reads the identity of the machine', 'high', 'medium') },
  {
    pattern:
      /\bImageGrab\b|\bpyscreenshot\b|\bpyautogui\.screenshot|\bmss\.mss\(|\bd3dshot\b|screenshot-desktop|desktopCapturer|CopyFromScreen/,
    sign: sign('code takes pictures of the screen', 'high', 'medium'),
  },
  {
    pattern:
      /\bpyperclip\.paste|\bread_clipboard\(|\bclipboardy\b|clipboard\.read|win32clipboard|Get-Clipboard|pbpaste|GetClipboardData/i,
    sign: sign('code reads the clipboard', 'high', 'medium'),
  },
  {
    pattern:
      /\bpynput\b|\bkeyboard\.(?:on_press|hook|record)|GetAsyncKeyState|SetWindowsHookEx|iohook|node-global-key-listener|\bscapy\b[^\n]{0,40}|\bsniff\(\s?(?:prn|iface|filter)|\bpcapy?\b|cv2\.VideoCapture\(|sounddevice\.rec|browser_?cookie3/,
    sign: sign('code listens to keys, traffic, sound or browsers', 'high', 'medium'),
  },
]
const USER = /\bgetpass\.getuser\(|["'`]whoami["'`]|os\.getlogin\(|os\.userInfo\(|Etc\.getlogin/
const MACHINE =
  /\bsocket\.gethostname\(|["'`]hostname["'`]|platform\.(?:node|uname)\(|os\.(?:hostname|networkInterfaces)\(|Socket\.gethostname|["'`](?:ifconfig|ipconfig|ip a(?:ddr)?)\b/

/** WPK-P1-005: keys, accounts, memory, traffic or what a person does are read. */
export const sensitiveRead: Rule = {
  id: 'WPK-P1-005',
  version: 1,
  name: 'sensitive read',
  severity: 'high',
  about:
    'Reads of key and account files, browser stores, process memory and the metadata address; packet capture, screen, clipboard and keyboard. Public keys, `known_hosts`, and a program that uses its own configuration file by an option are silent. The token of the own service account and `/etc/passwd` weigh less.',
  remediation: 'Use an identity of the package with the narrow right it needs.',
  hygiene: false,
  check: (view) => [
    ...inCommands(view, judge),
    ...inCode(view, CODE),
    ...inCode(
      {
        ...view,
        facts: view.facts.filter(({ code }) => code.some(({ text }) => USER.test(text) && MACHINE.test(text))),
      },
      [{ pattern: USER, sign: sign('code asks who and where it is', 'medium', 'low') }],
    ),
  ],
}

function judge({ name, args, line, command }: Call) {
  const puts = /^(?:xclip|xsel)$/.test(name) && !/(?:^| )-[a-z]*o/.test(line)
  if (/^(?:tcpdump|tshark)$/.test(name) && /(?:^| )-r(?: |$)| -D$|--version/.test(line)) return null
  if (WATCHES.test(name) && !puts) return sign('traffic, memory or screen are captured', 'high', 'medium')
  if (
    (name === 'import' && /-window root/.test(line)) ||
    (name === 'ffmpeg' && /x11grab|avfoundation|gdigrab/.test(line))
  )
    return sign('the screen is captured', 'high', 'medium')
  if (name === 'security' && /^(?:find-(?:generic|internet)-password|dump-keychain|export)$/.test(args[0] ?? ''))
    return sign('the key chain is read', 'high', 'medium')
  if (/^(?:kubectl|oc)$/.test(name) && /\bget secrets?\b/.test(line)) {
    if (/ (?:-A|--all-namespaces)(?: |$)/.test(line))
      return sign('the secrets of all namespaces are read', 'high', 'medium')
    return / -o ?(?:yaml|json)|--output=(?:yaml|json)/.test(line) ? sign('a secret is read', 'medium', 'low') : null
  }
  if (/^(?:grep|egrep|rg|ag)$/.test(name) && SEARCHES_SECRETS.test(line))
    return sign('files are searched for secrets', 'high', 'medium')
  if (
    /^(?:curl|wget)$/.test(name) &&
    /169\.254\.169\.254|metadata\.google\.internal/.test(line) &&
    !METADATA.test(line)
  )
    return sign('the metadata of the machine are read', 'medium', 'low')
  if (!READS.test(name) && !command.redirects.some(({ op }) => op === '<')) return null
  const inputs = command.redirects.filter(({ op }) => op === '<').map(({ target }) => target.text)
  // The target of a copy is written, not read.
  const read = /^(?:cp|mv|install|scp|rsync)$/.test(name) ? args.slice(0, -1) : args
  const text = [...read, ...inputs].find((one) => KEYS.test(one) || METADATA.test(one))
  if (text !== undefined) {
    if (/^(?:curl|wget)$/.test(name) && !METADATA.test(text) && !/@|^-T|^file:/.test(text)) return null
    return sign('a file of credentials or an identity is read', 'high', METADATA.test(text) ? 'medium' : 'high')
  }
  if (read.some((one) => one === '/etc/passwd')) return sign('the accounts of the machine are read', 'medium', 'low')
  return [...read, ...inputs].some((one) => /serviceaccount\/token|\.kube\/config$|\.docker\/config\.json/.test(one))
    ? sign('the own identity of the run is read', 'medium', 'low')
    : null
}
