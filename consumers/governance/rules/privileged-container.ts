import type { Fact } from '../facts.ts'
import { excerpt } from '../masking.ts'
import type { Command } from '../shell.ts'
import { commandText, invocation } from '../shell-commands.ts'
import type { Finding, Rule } from './rule.ts'

// Capabilities with which a container takes over its node or its neighbours.
const STRONG =
  /^(?:CAP_)?(?:ALL|SYS_ADMIN|SYS_PTRACE|SYS_MODULE|SYS_RAWIO|SYS_BOOT|DAC_READ_SEARCH|NET_ADMIN|NET_RAW|BPF|PERFMON|MKNOD|SYS_CHROOT)$/i
// The one capability the restricted pod security standard allows.
const ALLOWED = /^(?:CAP_)?NET_BIND_SERVICE$/i

/** WPK-P3-010: a container gets rights over its node. */
export const privilegedContainer: Rule = {
  id: 'WPK-P3-010',
  version: 1,
  name: 'privileged container',
  severity: 'high',
  about:
    '`privileged`, `hostProcess`, `allowPrivilegeEscalation` and added capabilities in manifests, and the same switches of `docker run`. Dropping capabilities and adding `NET_BIND_SERVICE` alone are silent.',
  remediation: 'Drop the privilege; add only the one capability the program needs.',
  hygiene: false,
  check: (view) => view.facts.flatMap((fact) => (fact.kind === 'command' ? fromCommands(fact) : fromField(fact))),
}

function fromField(fact: Fact): Finding[] {
  if (fact.area === 'trigger' || fact.area === 'alert') return []
  const on = /^(?:true|yes)$/i.test(fact.text)
  if (fact.name === 'privileged' && on) return [finding(fact, 'privileged: true', 'high')]
  if (fact.name === 'hostProcess' && on) return [finding(fact, 'hostProcess: true', 'high')]
  if (fact.name === 'allowPrivilegeEscalation' && on) return [finding(fact, 'allowPrivilegeEscalation: true', 'medium')]
  const added =
    /\/(?:capabilities\/add|cap_add|capabilities)\/\d+$/.test(fact.pointer) && !/\/drop\/\d+$/.test(fact.pointer)
  if (!added || ALLOWED.test(fact.text) || !/^[A-Za-z_]{3,30}$/.test(fact.text)) return []
  return [finding(fact, `added capability ${fact.text}`, STRONG.test(fact.text) ? 'high' : 'medium')]
}

const fromCommands = (fact: Fact): Finding[] =>
  fact.pipelines.flat().flatMap((command) => {
    const what = privilegeOf(command)
    return what === null
      ? []
      : [{ ...finding(fact, what, 'high'), message: `${what} in: ${excerpt(commandText(command))}` }]
  })

function privilegeOf(command: Command): string | null {
  const { name, args } = invocation(command)
  if (!/^(?:docker|podman|nerdctl)$/.test(name)) return null
  const texts = args.map((word) => word.text)
  if (!texts.some((text) => /^(?:run|create|exec)$/.test(text))) return null
  if (texts.some((text) => /^--privileged(?:=true)?$/.test(text))) return 'privileged container'
  for (const [index, text] of texts.entries()) {
    const value = /^--cap-add=(.+)$/.exec(text)?.[1] ?? (text === '--cap-add' ? texts[index + 1] : undefined)
    if (value !== undefined && !ALLOWED.test(value)) return `added capability ${value.slice(0, 30)}`
  }
  return null
}

const finding = (fact: Fact, what: string, severity: 'high' | 'medium'): Finding => ({
  pointer: fact.pointer,
  severity,
  confidence: 'high',
  message: `the container runs with ${what}`,
  matched: what,
})
