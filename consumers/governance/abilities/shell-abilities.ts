import type { CapabilityKind } from '../../../schemas/verdict.ts'
import { isDownload } from '../downloads.ts'
import { sourceOf } from '../flow/shell-sources.ts'
import { noTaint } from '../flow/taint.ts'
import { hostOf, urlsIn } from '../hosts.ts'
import { senderOf } from '../senders.ts'
import { secretVariable } from '../sensitive-sources.ts'
import type { Command } from '../shell.ts'
import { baseName, invocation, languageOf } from '../shell-commands.ts'
import { isDecoder } from '../shell-decoding.ts'

/** One thing that a command, a call or a field is able to do; `detail` is whom or what it concerns. */
export type Ability = { kind: CapabilityKind; detail: string }

const OUTSIDE =
  /^(?:\/(?:etc|usr|bin|sbin|lib|lib64|boot|root|var|opt|srv|sys|proc|home|Library)(?:\/|$)|~|\$HOME\b|\$\{HOME\}|[A-Za-z]:[\\/](?:Windows|Program))/
/** True for a path that belongs to the machine or its users and not to the run (whose are the checkout and /tmp). */
export const isOutside = (path: string): boolean => OUTSIDE.test(path)

const STARTED_LATER =
  /\/etc\/(?:cron|systemd\/system|init\.d|rc\.local|ld\.so\.preload|profile|pam\.d|sudoers|xdg\/autostart)|\/var\/spool\/cron|\.config\/(?:systemd|autostart)|Library\/Launch(?:Agents|Daemons)|authorized_keys|\.git\/hooks\/|(?:^|[/~])\.(?:bashrc|zshrc|profile|bash_profile|zprofile)\b|CurrentVersion\\{1,2}Run\b|Programs\\{1,2}Startup/
/** True for a place whose files are started, or let somebody in, after the run. */
export const isStartedLater = (path: string): boolean => STARTED_LATER.test(path)

const INSTALLERS: Record<string, RegExp> = {
  npm: /^(?:install|i|ci|add)$/,
  pnpm: /^(?:install|i|add)$/,
  yarn: /^(?:install|add|global)$/,
  pip: /^install$/,
  pip3: /^install$/,
  apt: /^(?:install|upgrade)$/,
  'apt-get': /^(?:install|upgrade)$/,
  yum: /^(?:install|update)$/,
  dnf: /^(?:install|update)$/,
  apk: /^add$/,
  brew: /^(?:install|cask)$/,
  gem: /^install$/,
  cargo: /^(?:install|add)$/,
  go: /^(?:install|get)$/,
  conda: /^install$/,
  snap: /^install$/,
  choco: /^install$/,
  helm: /^(?:install|upgrade)$/,
  dpkg: /^(?:-i|--install)$/,
  rpm: /^-[Uivh]+$/,
}
const CONTAINERS = /^(?:docker|podman|nerdctl)$/
const STARTERS = /^(?:nohup|setsid|xargs|parallel|watch|screen|tmux|daemonize|at|batch)$/

/** What one command is able to do. */
export function abilitiesOf(command: Command): Ability[] {
  const { name, args } = invocation(command)
  const texts = args.map((word) => word.text)
  const first = baseName(command.words[0]?.text ?? '')
  const found: Ability[] = []
  const can = (kind: CapabilityKind, detail: string): void => {
    found.push({ kind, detail })
  }
  const source = sourceOf(command, noTaint(), { pointer: '', range: null })
  if (source !== null) can('reads_secret', source.what)
  const secret = [...command.words, ...command.assignments]
    .map(({ text }) => secretVariable(text))
    .find((one) => one !== null)
  if (secret != null) can('reads_secret', secret === 'secrets' ? 'a secret of the run' : `$${secret}`)
  const host = receiver(command, name, texts)
  if (host !== null) can('network_out', host)
  for (const path of written(command, name, texts)) {
    if (isStartedLater(path)) can('persistence', path)
    if (isOutside(path)) can('writes_outside', path)
  }
  if (/^(?:sudo|doas|su|pkexec|runas|nsenter|setcap)$/.test(first)) can('privilege', first)
  if (
    CONTAINERS.test(name) &&
    texts.some((text) => /^--privileged|^--cap-add|^--(?:pid|net|network|ipc)=host$/.test(text))
  )
    can('privilege', `${name} with rights of the host`)
  if (name === 'chmod' && texts.some((text) => /^[ugoa]*\+[rwx]*s|^[246]7?[0-7]{3}$/.test(text)))
    can('privilege', 'setuid')
  const stays = staysBehind(name, texts)
  if (stays !== null) can('persistence', stays)
  const gone = destroyed(name, texts)
  if (gone !== null) can('destroys', gone)
  if (isDecoder(command)) can('decodes', name)
  const started = spawned(command, name, texts)
  if (started !== null) can('spawns', started)
  const verbs = Object.hasOwn(INSTALLERS, name) ? INSTALLERS[name] : undefined
  const at = verbs === undefined ? -1 : texts.findIndex((text) => verbs.test(text))
  if (at !== -1) can('installs', texts.slice(at + 1).find((text) => !text.startsWith('-')) ?? name)
  return found
}

function receiver(command: Command, name: string, texts: readonly string[]): string | null {
  const sender = senderOf(command)
  if (sender?.host != null) return sender.host
  const remote = /^(?:git|ssh|scp|sftp|rsync|ftp|lftp|rclone|skopeo|oras|crane|svn|hg)$/.test(name)
  if (!isDownload(command) && sender === null && !remote) return null
  const url = texts.flatMap((text) => urlsIn(text)).at(0)
  const named =
    url === undefined
      ? texts.map((text) => /^(?:[\w.-]+@)?([\w-]+(?:\.[\w-]+)+)(?::|$)/.exec(text)?.[1]).find(Boolean)
      : hostOf(url)
  if (named != null) return named.toLowerCase()
  return isDownload(command) || sender !== null ? 'a host known when it runs' : null
}

/** The files that a command writes by its redirections and as a copier. */
function written(command: Command, name: string, texts: readonly string[]): string[] {
  const files = texts.filter((text) => !text.startsWith('-'))
  return [
    ...command.redirects.filter(({ op }) => /^1?&?>/.test(op)).map(({ target }) => target.text),
    ...(name === 'tee' || name === 'touch' || name === 'truncate' ? files : []),
    ...(/^(?:cp|mv|install|ln|rsync)$/.test(name) ? files.slice(-1) : []),
    ...(name === 'sed' && texts.some((text) => /^-[a-zA-Z]*i/.test(text)) ? files.slice(-1) : []),
    ...(name === 'dd' ? texts.filter((text) => text.startsWith('of=')).map((text) => text.slice(3)) : []),
  ]
}

function staysBehind(name: string, texts: readonly string[]): string | null {
  if (name === 'crontab' && !texts.includes('-l')) return 'crontab'
  if (name === 'systemctl' && texts.includes('enable')) return `systemctl enable ${texts.at(-1)}`
  if (/^(?:useradd|adduser|ssh-copy-id|schtasks|launchctl|update-rc\.d|chkconfig|insmod)$/.test(name)) return name
  return null
}

function destroyed(name: string, texts: readonly string[]): string | null {
  const last = texts.findLast((text) => !text.startsWith('-')) ?? name
  const line = texts.join(' ')
  if (name === 'rm' && texts.some((text) => /^-[a-zA-Z]*[rR]|^--recursive/.test(text))) return last
  if (/^(?:shred|wipefs|blkdiscard)$|^mkfs/.test(name)) return last
  if (name === 'dd') return /(?:^| )of=(\/dev\/\S+)/.exec(line)?.[1] ?? null
  if (/^(?:kubectl|oc)$/.test(name) && texts.includes('delete')) return line.slice(line.indexOf('delete') + 7) || name
  if (name === 'helm' && /^(?:uninstall|delete)\b/.test(line)) return last
  if (/^(?:terraform|tofu|pulumi)$/.test(name) && texts.includes('destroy')) return name
  if (CONTAINERS.test(name) && /^(?:rm|rmi|volume rm|system prune|image prune)\b/.test(line)) return last
  if (name === 'find' && /-delete\b|-exec rm\b/.test(line)) return texts[0] ?? name
  if (name === 'git' && /^(?:push\b.* (?:--force|-f)\b|clean -[a-z]*f|reset --hard)/.test(line)) return `git ${line}`
  if (name === 'aws' && /\bs3 r[mb]\b|\bdelete-|\bterminate-/.test(line)) return last
  return /\b(?:DROP (?:DATABASE|SCHEMA|TABLE)|TRUNCATE TABLE)\b/i.test(line) ? `${name}: drop` : null
}

function spawned(command: Command, name: string, texts: readonly string[]): string | null {
  const first = baseName(command.words[0]?.text ?? '')
  if (STARTERS.test(first)) return first
  if (name === 'eval' || name === 'source' || name === '.') return name
  if (languageOf(name) !== null) return name
  const verb = texts.find((text) => !text.startsWith('-'))
  if (CONTAINERS.test(name) && /^(?:run|exec)$/.test(verb ?? '')) return `${name} ${verb}`
  if (name === 'kubectl' && /^(?:run|exec|debug)$/.test(verb ?? '')) return `kubectl ${verb}`
  return name === 'ssh' && texts.length > 1 ? 'ssh' : null
}
