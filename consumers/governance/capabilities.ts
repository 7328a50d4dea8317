import { isDownload } from './downloads.ts'
import type { Fact } from './facts.ts'
import { hostOf, isLocalHost } from './hosts.ts'
import type { PackageView } from './package-view.ts'
import { remoteScriptExecuted } from './rules/remote-script-executed.ts'
import { senderOf } from './senders.ts'
import { secretVariable } from './sensitive-sources.ts'
import type { Command } from './shell.ts'
import { invocation } from './shell-commands.ts'

/** What a package is able to do, whatever it wants with it. The names are part of the verdict: never reuse one. */
export const CAPABILITIES = [
  'changes_access',
  'deletes_resources',
  'executes_download',
  'host_access',
  'installs_packages',
  'mutates_cluster',
  'network_out',
  'privileged',
  'reads_secret',
  'runs_shell',
  'runs_unattended',
  'takes_event_input',
  'third_party_action',
  'writes_secret',
] as const

export type Capability = (typeof CAPABILITIES)[number]

const MUTATING_ACTION =
  /^(?:apply|create|patch|replace|scale|restart|rollout|delete|evict|annotate|label|restore|copy|cordon|drain|exec|rollback|taint|update|set)/i
const KUBECTL_MUTATES =
  /^(?:apply|create|patch|replace|scale|delete|annotate|label|cordon|drain|exec|rollout|set|edit|taint|run|cp|expose)$/
const INSTALLERS = /^(?:npm|yarn|pnpm|pip|pip3|apt|apt-get|yum|dnf|apk|brew|gem|cargo|go|conda|snap)$/

/** The capabilities of a package, sorted. */
export function capabilitiesOf(view: PackageView): Capability[] {
  const has = new Set<Capability>()
  if (view.wpk.spec.safety?.mode === 'auto') has.add('runs_unattended')
  if (remoteScriptExecuted.check(view).some(({ severity }) => severity === 'high')) has.add('executes_download')
  for (const fact of view.facts) {
    if (fact.area === 'alert') continue
    fromFact(fact, has)
    for (const command of fact.pipelines.flat()) fromCommand(command, has)
  }
  return [...has].sort()
}

function fromFact(fact: Fact, has: Set<Capability>): void {
  const { kind, name, text } = fact
  if (kind === 'command') has.add('runs_shell')
  if (kind === 'url' && !isLocalHost(hostOf(text) ?? '')) has.add('network_out')
  if (
    kind === 'command' &&
    fact.code.some((code) => /\b(?:requests\.|urlopen|httpx\.|fetch\(|axios|Net::HTTP|socket\.)/.test(code.text))
  )
    has.add('network_out')
  if (
    secretVariable(fact.bare) !== null ||
    /^(?:secretKeyRef|secretName|secretRef)$/.test(name) ||
    fact.path.includes('/secretKeyRef/')
  )
    has.add('reads_secret')
  if (/^(?:X-Vault-Token|Authorization)$/i.test(name)) has.add('reads_secret')
  if (/^(?:true|yes)$/i.test(text) && /^(?:privileged|hostProcess|allowPrivilegeEscalation)$/.test(name))
    has.add('privileged')
  if (/\/capabilities\/add\/\d+$/.test(fact.pointer)) has.add('privileged')
  if (isHostAccess(fact)) has.add('host_access')
  if (name === 'action' && MUTATING_ACTION.test(text)) has.add('mutates_cluster')
  if (name === 'action' && /^(?:delete|drain|evict)/i.test(text)) has.add('deletes_resources')
  if (name === 'kind' && /^(?:Cluster)?Role(?:Binding)?$|^ServiceAccount$/.test(text)) has.add('changes_access')
  if (
    (name === 'kind' && text === 'Secret') ||
    ((name === 'resource' || name === 'target') && /^secrets?(?:\/|$)/i.test(text))
  )
    has.add('writes_secret')
  if (name === 'uses' && !/^(?:actions|github)\/|^\.\//.test(text)) has.add('third_party_action')
  if (
    kind === 'command' &&
    /\$\{\{\s{0,4}(?:github\.event\.|github\.head_ref|inputs\.)|(?:\$\{|\{\{)\s?\.?(?:event|trigger|payload|webhook)[.[]/.test(
      fact.bare,
    )
  )
    has.add('takes_event_input')
}

const isHostAccess = ({ name, text, path }: Fact): boolean =>
  (/^host(?:PID|IPC|Network)$/.test(name) && /^(?:true|yes)$/i.test(text)) ||
  /\/hostPath(?:\/path)?$/.test(path) ||
  name === 'hostPort' ||
  /(?:docker|containerd|crio)\.sock\b/.test(text)

function fromCommand(command: Command, has: Set<Capability>): void {
  const { name, args } = invocation(command)
  const verb = args.find((word) => !word.text.startsWith('-'))?.text ?? ''
  const texts = args.map((word) => word.text)
  if (isDownload(command) || senderOf(command) !== null) has.add('network_out')
  if (INSTALLERS.test(name) && texts.some((text) => /^(?:install|i|ci|add|get)$/.test(text)))
    has.add('installs_packages')
  if (name === 'kubectl' && texts.some((text) => KUBECTL_MUTATES.test(text))) has.add('mutates_cluster')
  if (name === 'helm' && /^(?:install|upgrade|rollback|uninstall|delete)$/.test(verb)) has.add('mutates_cluster')
  if (
    (name === 'kubectl' && texts.includes('delete')) ||
    (name === 'rm' && texts.some((text) => /^-[a-z]*r/i.test(text)))
  )
    has.add('deletes_resources')
  if ((name === 'terraform' && texts.includes('destroy')) || (name === 'helm' && /^(?:uninstall|delete)$/.test(verb)))
    has.add('deletes_resources')
  if (/^(?:docker|podman)$/.test(name) && texts.some((text) => /^--privileged|^--cap-add/.test(text)))
    has.add('privileged')
  if (/^(?:docker|podman)$/.test(name) && texts.some((text) => /^--(?:pid|net|network|ipc)=host$/.test(text)))
    has.add('host_access')
}
