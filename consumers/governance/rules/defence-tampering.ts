import type { Fact } from '../facts.ts'
import type { Call, CodePattern } from './matching.ts'
import { inCode, inCommands, inFields, isOff, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const WATCHERS =
  /^(?:auditd|falco|osqueryd|wazuh-agent|ossec|crowdstrike|falcon-sensor|sysmon|rsyslog|syslog|systemd-journald|apparmor|fail2ban|clamav-daemon|datadog-agent|mdatp|aide|aliyun|cloudwatch-agent)(?:\.service)?$/
const FIREWALLS = /^(?:firewalld|ufw|iptables|nftables|ip6tables)(?:\.service)?$/
const CODE: readonly CodePattern[] = [
  {
    pattern:
      /Set-MpPreference[^\n]{0,80}-Disable|Add-MpPreference[^\n]{0,40}-Exclusion|DisableRealtimeMonitoring|netsh advfirewall set \w{1,20} state off|wevtutil(?:\.exe)? cl\b|Clear-EventLog|AmsiUtils|amsiInitFailed/i,
    sign: sign('code switches a defence off', 'critical', 'high'),
  },
  {
    pattern: /\bos\.chmod\([^\n)]{0,80}0o?[4267]7[0-7]{2}\b|S_ISUID/,
    sign: sign('code lets a program run with the rights of its owner', 'critical', 'low'),
  },
]

/** WPK-P3-009: what guards or records the machine is switched off. */
export const defenceTampering: Rule = {
  id: 'WPK-P3-009',
  version: 2,
  name: 'defence tampering',
  severity: 'critical',
  about:
    'Switching off audit, logging, SELinux, AppArmor, scanners or the firewall; deleting logs or the history; programs that run with the rights of their owner; a new root certificate. Rotating logs and opening one port are silent.',
  remediation: 'Remove it; ask for the one exception that is needed.',
  hygiene: false,
  check: (view) => [...inCommands(view, judge), ...inCode(view, CODE), ...inFields(view, ofField)],
}

function judge({ name, args, line, command }: Call) {
  if (name === 'setenforce' && /^(?:0|permissive)$/i.test(args[0] ?? ''))
    return sign('SELinux is switched off', 'critical', 'high')
  if (/^(?:systemctl|service|rc-service|launchctl)$/.test(name) && /\b(?:stop|disable|mask|unload|kill)\b/.test(line)) {
    if (args.some((text) => WATCHERS.test(text)))
      return sign('a guard or log of the machine is stopped', 'critical', 'high')
    if (args.some((text) => FIREWALLS.test(text))) return sign('the firewall is stopped', 'high', 'medium')
  }
  if (/^(?:pkill|killall|kill)$/.test(name) && args.some((text) => WATCHERS.test(text)))
    return sign('a guard or log of the machine is stopped', 'critical', 'high')
  if (name === 'ufw' && args.includes('disable')) return sign('the firewall is switched off', 'high', 'medium')
  if (/^ip6?tables$/.test(name) && args.some((text) => /^-F$|^--flush$/.test(text)) && !args.includes('-t'))
    return sign('the rules of the firewall are removed', 'high', 'medium')
  if (name === 'auditctl' && /-e ?0\b|-D\b/.test(line)) return sign('the audit is switched off', 'critical', 'high')
  if (
    name === 'aws' &&
    /cloudtrail (?:stop-logging|delete-trail)|guardduty delete-detector|configservice stop-configuration/.test(line)
  )
    return sign('the audit of the account is switched off', 'critical', 'high')
  if (name === 'history' && args.includes('-c')) return sign('the history is deleted', 'critical', 'medium')
  if (
    (name === 'unset' && args.includes('HISTFILE')) ||
    [...command.assignments.map(({ text }) => text), ...(name === 'export' ? args : [])].some((text) =>
      /^HISTFILE=(?:\/dev\/null)?$|^HIST(?:FILE)?SIZE=0$/.test(text),
    )
  )
    return sign('the history is switched off', 'critical', 'medium')
  if (
    wipesLogs(
      name,
      args,
      command.redirects.map(({ op, target }) => `${op}${target.text}`),
    )
  )
    return sign('logs are deleted', 'critical', 'medium')
  if (
    name === 'chmod' &&
    args.some((text) => /^(?:[ug+]*\+[rwx]*s|[4267][0-7]{3}|0[4267][0-7]{3})$/.test(text)) &&
    !args.some((text) => /^[2][0-7]{3}$|^g\+s$/.test(text))
  )
    return sign('a program runs with the rights of its owner', 'critical', 'medium')
  if (name === 'setcap' && /cap_(?:setuid|setgid|sys_admin|sys_ptrace|sys_module|dac_\w{1,12})|\ball\b/i.test(line))
    return sign('a program gets rights of root', 'critical', 'medium')
  if (name === 'journalctl' && /--vacuum-(?:time=\d?\d?s|size=\d{1,2}[KM]?\b|files=1\b)/.test(line))
    return sign('logs are deleted', 'high', 'medium')
  if (name === 'nft' && /\bflush ruleset\b/.test(line))
    return sign('the rules of the firewall are removed', 'high', 'medium')
  if (name === 'sed' && args.some((text) => /\/etc\/selinux\/config/.test(text)) && /disabled|permissive/.test(line))
    return sign('SELinux is switched off', 'critical', 'medium')
  if (
    name === 'touch' &&
    /(?:^| )-[acm]*(?:t|r|d)(?: |$)|--(?:date|reference)=/.test(line) &&
    /\d{8,12}|\/(?:bin|etc|usr)\//.test(line)
  )
    return sign('the age of a file is changed', 'medium', 'low')
  if (name === 'chattr' && args.some((text) => /^\+[a-z]*i/.test(text)))
    return sign('a file is made undeletable', 'medium', 'low')
  if (/^(?:update-ca-certificates|update-ca-trust|certutil)$/.test(name) && !/extract$|-L\b/.test(line))
    return sign('a root certificate is trusted', 'medium', 'low')
  return name === 'sysctl' && /randomize_va_space=0|yama\.ptrace_scope=0|kptr_restrict=0/.test(line)
    ? sign('a protection of the kernel is switched off', 'critical', 'medium')
    : null
}

function wipesLogs(name: string, args: readonly string[], redirects: readonly string[]): boolean {
  const logs =
    /^\/var\/log\/?(?:\*|wtmp|btmp|lastlog|auth\.log|secure|syslog|messages|audit\b|journal|$)|\.bash_history/
  if (/^(?:rm|shred|truncate|unlink|ln)$/.test(name) && (name !== 'ln' || args.includes('/dev/null')))
    return args.some((text) => logs.test(text))
  return (
    /^(?:cat|:|true|echo|)$/.test(name) &&
    redirects.some((text) => /^1?>[^>]/.test(text) && logs.test(text.replace(/^1?>/, '')))
  )
}

function ofField({ name, text, path }: Fact) {
  if (name === 'SELINUX' && /^(?:disabled|permissive)$/i.test(text))
    return sign('SELinux is switched off', 'high', 'medium')
  return /^(?:disable_audit|audit_enabled|audit_logs?_enabled)$/.test(name) &&
    isOff(text) === name.startsWith('audit') &&
    !path.includes('/data/')
    ? sign('the audit is switched off', 'high', 'medium')
    : null
}
