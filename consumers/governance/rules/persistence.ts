import type { Call, CodePattern } from './matching.ts'
import { inCode, inCommands, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const START_PLACES =
  /\/etc\/(?:cron[\w.]*(?:\/|$)|systemd\/system\/|init\.d\/|rc\.local|ld\.so\.preload|profile\.d\/|pam\.d\/|xdg\/autostart|udev\/rules\.d)|\/var\/spool\/cron|\.config\/(?:systemd\/user|autostart)|\/usr\/lib\/systemd\/system\/|Library\/Launch(?:Agents|Daemons)|\.git\/hooks\/|CurrentVersion\\{1,2}Run\b|Start Menu\\{1,2}Programs\\{1,2}Startup/i
const SHELL_START = /(?:^|[/~"'])\.(?:bashrc|zshrc|profile|bash_profile|bash_login|zprofile|zshenv|xprofile)\b/
const KEYS = /authorized_keys2?\b/
const WRITES_CODE = String.raw`(?:open\([^\n)]{0,120},\s{0,3}["'](?:a|w|ab|wb|a\+|w\+)["']|write_text|writeFile(?:Sync)?\(|appendFile(?:Sync)?\(|createWriteStream\(|File\.(?:open|write)|IO\.write|file_put_contents|shutil\.(?:copy\w{0,8}|move)\(|Set-Content|Add-Content|New-ItemProperty|Set-ItemProperty)`
const PLACES_CODE = String.raw`["'\`][^"'\`\n]{0,120}(?:\.(?:bashrc|zshrc|profile|bash_profile|zprofile)\b|/etc/(?:cron|systemd/system|init\.d|rc\.local|ld\.so\.preload|profile)|authorized_keys|Launch(?:Agents|Daemons)|CurrentVersion\\{1,2}Run|Programs\\{1,2}Startup|\.config/autostart|/var/spool/cron|\.git/hooks)`
const CODE: readonly CodePattern[] = [
  {
    pattern: new RegExp(
      `open\\(\\s?[^\\n]{0,60}${PLACES_CODE}["'\`]?\\)?\\s?\\)?\\s?,\\s{0,3}["'](?:a|w|ab|wb|a\\+|w\\+)["']`,
    ),
    sign: sign('code writes where things are started from', 'critical', 'medium'),
  },
  {
    pattern: /\b(?:Set|New)-ItemProperty\b[^\n]{0,120}CurrentVersion\\{1,2}Run/i,
    sign: sign('code registers itself to be started', 'critical', 'medium'),
  },
  {
    pattern: new RegExp(`${PLACES_CODE}[\\s\\S]{0,400}?${WRITES_CODE}`),
    sign: sign('code writes where things are started from', 'critical', 'medium'),
  },
  {
    pattern: new RegExp(`${WRITES_CODE}[\\s\\S]{0,200}?${PLACES_CODE}`),
    sign: sign('code writes where things are started from', 'critical', 'medium'),
  },
  {
    pattern:
      /\bwinreg\.(?:SetValueEx|CreateKey)|\breg(?:\.exe)? add [^\n]{0,80}\\Run\b|schtasks(?:\.exe)?\s[^\n]{0,40}\/create/i,
    sign: sign('code registers itself to be started', 'critical', 'medium'),
  },
  {
    pattern:
      /package\.json[\s\S]{0,2000}\b(?:exec|execSync|spawn|spawnSync|system|run)\w{0,8}\([^\n]{0,80}\bnpm["',\s]{1,6}publish/,
    sign: sign('code publishes copies of itself', 'critical', 'medium'),
  },
]

/** WPK-P3-008: something stays behind and runs or lets somebody in after the package is done. */
export const persistence: Rule = {
  id: 'WPK-P3-008',
  version: 1,
  name: 'persistence',
  severity: 'critical',
  about:
    'Cron tables, units, start scripts, preloaded libraries, keys that may log in, accounts with the rights of root and kernel modules; code that publishes copies of itself. Listing a cron table, and the triggers of the package, are silent; settings in a shell start file and ordinary accounts weigh little.',
  remediation: 'Use the triggers of the package; let images bring users and units.',
  hygiene: false,
  check: (view) => [...inCommands(view, judge), ...inCode(view, CODE)],
}

function judge({ name, args, line, command, pipeline, index }: Call) {
  const written = [
    ...command.redirects.filter(({ op }) => /^1?&?>/.test(op)).map(({ target }) => target.text),
    ...(name === 'tee' || name === 'touch' ? args.filter((text) => !text.startsWith('-')) : []),
    ...(name === 'sed' && args.some((text) => /^-[a-zA-Z]*i/.test(text)) ? args.slice(-1) : []),
    ...(/^(?:cp|mv|install|ln)$/.test(name) ? args.slice(-1) : []),
  ]
  if (written.some((text) => KEYS.test(text))) return sign('a key that may log in is added', 'critical', 'high')
  if (
    written.some((text) =>
      /ld\.so\.preload|\/etc\/rc\.local|\/var\/spool\/cron|\/etc\/pam\.d|\/etc\/sudoers/.test(text),
    )
  )
    return sign('something is started with the machine', 'critical', 'high')
  if (written.some((text) => /\/etc\/cron|\.git\/hooks/.test(text)))
    return sign('a job is left behind', 'critical', 'medium')
  if (written.some((text) => START_PLACES.test(text)))
    return sign('a unit or start script is left behind', 'high', 'low')
  if (written.some((text) => SHELL_START.test(text))) {
    const text = [line, ...pipeline.slice(0, index).map((one) => one.words.map((word) => word.text).join(' '))].join(
      ' ',
    )
    return /curl|wget|\bnc\b|\/tmp\/|base64|nohup|\/dev\/tcp|(?:^|\s)&(?:\s|$)|\/\.\w/.test(text)
      ? sign('a command is added to a shell start file', 'critical', 'medium')
      : sign('a shell start file is changed', 'low', 'medium')
  }
  if (name === 'crontab' && !args.some((text) => /^-[lre]$/.test(text)) && (args.length > 0 || index > 0))
    return sign('a cron table is installed', 'critical', 'medium')
  if (
    /^(?:useradd|adduser)$/.test(name) &&
    (/(?:-\w*u|--uid)[ =]?0\b/.test(line) || /(?:-G|--groups|-g)[ =]\S*\b(?:sudo|wheel|root|admin)\b/.test(line))
  )
    return sign('an account with the rights of root is added', 'critical', 'medium')
  if (/^(?:usermod|gpasswd)$/.test(name) && /\b(?:sudo|wheel|root)\b/.test(line))
    return sign('an account gets the rights of root', 'high', 'medium')
  if (name === 'insmod' || (name === 'modprobe' && !args.some((text) => /^-(?:r|n|-remove|-dry-run)/.test(text))))
    return sign(
      'a kernel module is loaded',
      name === 'insmod' ? 'critical' : 'medium',
      name === 'insmod' ? 'medium' : 'low',
    )
  if (/^(?:useradd|adduser)$/.test(name) && !/--system|(?:^| )-r(?: |$)/.test(line))
    return sign('an account is added', 'medium', 'low')
  if (name === 'chpasswd' || (name === 'passwd' && args.includes('root')))
    return sign('a password is set', 'medium', 'low')
  if (name === 'launchctl' && /^(?:load|bootstrap|submit|enable)$/.test(args[0] ?? ''))
    return sign('a job is left behind', 'high', 'medium')
  if (name === 'systemd-run' && /--on-(?:calendar|boot|active|unit)/.test(line))
    return sign('a job is left behind', 'high', 'medium')
  if (name === 'systemctl' && args.includes('enable'))
    return sign('a unit is started with the machine', 'medium', 'low')
  const preload = [...command.assignments.map(({ text }) => text), ...(name === 'export' ? args : [])].find((text) =>
    text.startsWith('LD_PRELOAD='),
  )
  if (preload !== undefined)
    return sign(
      'a library is put before all others',
      /=(?:\/tmp|\/dev\/shm|\.|\/var\/tmp)/.test(preload) ? 'high' : 'medium',
      /=(?:\/tmp|\/dev\/shm|\.|\/var\/tmp)/.test(preload) ? 'medium' : 'low',
    )
  if (
    name === 'at' &&
    (index > 0 ||
      command.heredoc !== null ||
      args.includes('-f') ||
      command.redirects.some(({ op }) => op.startsWith('<')))
  )
    return sign('a job is left behind', 'high', 'low')
  return name === 'schtasks' && /\/create/i.test(line) ? sign('a job is left behind', 'critical', 'medium') : null
}
