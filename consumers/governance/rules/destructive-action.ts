import type { Fact } from '../facts.ts'
import type { Call, CodePattern } from './matching.ts'
import { inCode, inCommands, inFields, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const DISK = /^\/dev\/(?:sd|nvme|hd|vd|xvd|disk|mapper|md|mmcblk|loop)\w*/
const SYSTEM =
  /^(?:\/(?:\*|(?:etc|usr|var|boot|home|lib|lib64|bin|sbin|root|opt|srv|sys|proc|dev|mnt|media|data)(?:\/\*?)?)?|~\/?\*?|\$HOME\/?\*?|\$\{HOME\}\/?\*?|\/\.\*|[A-Z]:\\?\*?)$/
// Where databases, queues and clusters keep what they hold, and backups.
const DATA =
  /^(?:\/var\/lib\/(?:postgresql|pgsql|mysql|mariadb|mongo(?:db)?|redis|etcd|rabbitmq|kafka|elasticsearch|opensearch|cassandra|clickhouse|influxdb|prometheus|docker|containerd|kubelet)|\/var\/backups?|\/backups?)(?:\/|$)/
const SQL = /\bDROP\s+(?:DATABASE|SCHEMA)\s+(?!IF\s+EXISTS\s+(?:test|tmp))/i
const CODE: readonly CodePattern[] = [
  {
    pattern:
      /\bvssadmin(?:\.exe)? delete shadows|\bwbadmin delete catalog|recoveryenabled no|Win32_ShadowCopy[^\n]{0,60}Delete|\bcipher \/w:/i,
    sign: sign('backups are wiped', 'critical', 'high'),
  },
  {
    pattern:
      /\b(?:shutil\.rmtree|rimraf(?:\.sync)?|fs\.(?:rm|rmdir)(?:Sync)?|FileUtils\.rm_rf)\(\s{0,3}["'`](?:\/|~|C:\\\\?)["'`]/,
    sign: sign('code deletes the whole file system', 'critical', 'high'),
  },
  {
    pattern:
      /\b(?:shutil\.rmtree|rimraf(?:\.sync)?|fs\.(?:rm|rmdir)(?:Sync)?|FileUtils\.rm_rf)\(\s{0,3}(?:os\.path\.expanduser\(\s?["']~["']|os\.homedir\(\)|Path\.home\(\)|process\.env\.HOME|Dir\.home)\s?\)?\s?[,)]/,
    sign: sign('code deletes the home directory', 'critical', 'high'),
  },
  {
    pattern: new RegExp(`["'\`][^"'\`\\n]{0,80}${SQL.source}`, 'i'),
    sign: sign('code drops a database', 'high', 'medium'),
  },
  {
    pattern: /open\(\s?["']\/dev\/(?:sd|nvme|vd|hd)[a-z0-9]{1,6}["']\s?,\s?["'](?:w|r\+|a)/,
    sign: sign('code writes to a disk', 'critical', 'high'),
  },
]

/** WPK-P3-007: data or a machine are destroyed. */
export const destructiveAction: Rule = {
  id: 'WPK-P3-007',
  version: 2,
  name: 'destructive action',
  severity: 'critical',
  about:
    'Deleting system or home directories, or what databases, clusters and backups keep, writing to or formatting disks, dropping databases, deleting namespaces or everything in a cluster, destroying infrastructure without a question, turning the machine off. A directory of the build, one named object and temporary files are silent.',
  remediation: 'Name the one thing that goes, and ask for approval.',
  hygiene: false,
  check: (view) => [...inCommands(view, judge), ...inCode(view, CODE), ...inFields(view, ofField)],
}

function judge({ name, args, line, command, fact }: Call) {
  if (command.redirects.some(({ op, target }) => op.includes('>') && DISK.test(target.text)))
    return sign('a disk is overwritten', 'critical', 'high')
  if (name === 'rm' && args.some((text) => /^-[a-zA-Z]*[rR]|^--recursive/.test(text))) {
    if (args.includes('--no-preserve-root') || args.some((text) => SYSTEM.test(text)))
      return sign('a system or home directory is deleted', 'critical', 'high')
    if (args.some((text) => /^\$\{?\w+\}?\/\*?$/.test(text) && !/:\?|HOME|TMP|TEMP|WORK|BUILD|DIR|PATH/i.test(text)))
      return sign('a variable that may be empty is deleted from the root', 'medium', 'low')
  }
  const deletes =
    (name === 'rm' && args.some((text) => /^-[a-zA-Z]*[rR]|^--recursive/.test(text))) ||
    name === 'shred' ||
    (name === 'find' && args.includes('-delete') && !/ -m(?:time|min) /.test(line))
  if (deletes && args.some((text) => DATA.test(text)))
    return sign('what a database or a cluster keeps is deleted', 'high', 'medium')
  if (name === 'find' && /^\/(?:\s|$)|^~/.test(args[0] ?? '') && /-delete\b|-exec rm/.test(line) && args[0] === '/')
    return sign('files of the whole machine are deleted', 'critical', 'medium')
  if (name === 'dd' && args.some((text) => text.startsWith('of=') && DISK.test(text.slice(3))))
    return sign('a disk is overwritten', 'critical', 'high')
  if (
    /^(?:mkfs(?:\.\w+)?|mke2fs|wipefs|mkswap|sgdisk|blkdiscard|cryptsetup)$/.test(name) &&
    args.some((text) => DISK.test(text) && !/loop/.test(text)) &&
    !/^(?:sgdisk) (?:-p|--print)/.test(line)
  )
    return name === 'cryptsetup' && !/luksFormat|erase/.test(line)
      ? null
      : sign('a disk is formatted', 'critical', 'high')
  if (name === 'shred' && args.some((text) => DISK.test(text) || SYSTEM.test(text)))
    return sign('a disk is shredded', 'critical', 'high')
  if (/^(?:chmod|chown)$/.test(name) && args.some((text) => /^-[a-zA-Z]*R/.test(text)) && args.at(-1) === '/')
    return sign('rights of the whole machine are changed', 'critical', 'high')
  if (
    /^(?:psql|mysql|mariadb|sqlcmd|sqlite3|clickhouse-client|cqlsh|mongo(?:sh)?)$/.test(name) &&
    (SQL.test(line) || SQL.test(command.heredoc ?? '') || /dropDatabase\(\)/.test(line))
  )
    return sign('a database is dropped', 'critical', 'medium')
  if (name === 'dropdb' || (name === 'redis-cli' && /\bFLUSHALL\b/i.test(line)))
    return sign('a database is dropped', 'high', 'medium')
  if (
    /^(?:docker|podman)$/.test(name) &&
    args.includes('rm') &&
    command.words.some((word) =>
      word.substitutions.flat(2).some((one) => /^(?:docker|podman)$/.test(one.words[0]?.text ?? '')),
    )
  )
    return sign('every container of the machine is removed', 'medium', 'low')
  if (
    name === 'git' &&
    args.includes('push') &&
    /(?:^| )(?:-f|--force)(?: |$)/.test(line) &&
    /\b(?:main|master|production)\b/.test(line)
  )
    return sign('the history of a main branch is overwritten', 'medium', 'low')
  if (name === 'reboot' && fact.area === 'handler') return sign('the machine is restarted', 'medium', 'low')
  return (
    ofPlatform(name, args, line) ??
    (fact.area === 'handler' && /^(?:shutdown|poweroff|halt)$/.test(name) && !args.includes('-c')
      ? sign('the machine is turned off', 'high', 'low')
      : null)
  )
}

function ofPlatform(name: string, args: readonly string[], line: string) {
  if (/^(?:kubectl|oc)$/.test(name) && args.includes('delete')) {
    const all = /(?:^| )--all(?: |$|=true)/.test(line)
    if (all && /--all-namespaces| -A(?: |$)/.test(line))
      return sign('everything in the cluster is deleted', 'critical', 'high')
    if (/ (?:ns|namespaces?)(?: |\/|$)/.test(line))
      return all
        ? sign('all namespaces are deleted', 'critical', 'high')
        : sign('a namespace with all it holds is deleted', 'high', 'medium')
    if (all && / (?:all|pvc?|persistentvolumes?|persistentvolumeclaims?|nodes?|crds?)(?: |$)/.test(line))
      return sign('all objects of a kind are deleted', 'high', 'medium')
  }
  if (
    /^(?:terraform|tofu|terragrunt|pulumi)$/.test(name) &&
    /\bdestroy\b/.test(line) &&
    /auto-approve|--yes|-y\b/.test(line)
  )
    return sign('infrastructure is destroyed without a question', 'high', 'medium')
  if (
    name === 'aws' &&
    /\bs3 r[bm] /.test(line) &&
    /--(?:force|recursive)/.test(line) &&
    args.some((text) => /^s3:\/\/[^/]{1,80}\/?$/.test(text))
  )
    return sign('a bucket is emptied', 'high', 'medium')
  if (
    /^(?:vssadmin|wbadmin|bcdedit|diskutil|format|cipher)$/i.test(name) &&
    /delete shadows|delete catalog|recoveryenabled no|eraseDisk|\/w:/i.test(line)
  )
    return sign('backups or disks are wiped', 'critical', 'high')
  return null
}

function ofField({ name, text, kind }: Fact) {
  if ((kind === 'string' || kind === 'manifest') && /^(?:query|sql|statement)$/i.test(name) && SQL.test(text))
    return sign('a database is dropped', 'critical', 'medium')
  return null
}
