import type { Fact } from '../facts.ts'
import { hostOf, isLocalHost } from '../hosts.ts'
import { isSecretName } from '../secret-names.ts'
import { secretVariable } from '../sensitive-sources.ts'
import type { Ability } from './shell-abilities.ts'

const isOn = (text: string): boolean => /^(?:true|yes|on|1)$/i.test(text)

/** What a field that is no command lets a package do: addresses, rights, mounts, references to secrets. */
export function abilitiesOfField(fact: Fact): Ability[] {
  const { kind, name, text, path } = fact
  const found: Ability[] = []
  const can = (kindOf: Ability['kind'], detail: string): void => {
    found.push({ kind: kindOf, detail })
  }
  const host = kind === 'url' ? hostOf(text) : null
  if (kind === 'url' && (host === null || !isLocalHost(host))) can('network_out', host ?? 'a host known when it runs')
  const secret = secretVariable(text)
  if (secret !== null) can('reads_secret', secret === 'secrets' ? 'a secret of the run' : `$${secret}`)
  else if (/^(?:secretName|secretRef)$/.test(name) || (path.includes('/secretKeyRef/') && name === 'name'))
    can('reads_secret', `Secret ${text}`)
  else if (kind === 'env' && isSecretName(name) && /^vault:|^secret\//.test(text)) can('reads_secret', text)
  if (isOn(text) && /^(?:privileged|hostProcess|allowPrivilegeEscalation|host(?:PID|IPC|Network))$/.test(name))
    can('privilege', name)
  if (/\/capabilities\/add\/\d+$/.test(path)) can('privilege', `capability ${text}`)
  if (name === 'runAsUser' && text === '0') can('privilege', 'runs as root')
  if (/\/hostPath(?:\/path)?$/.test(path)) can('writes_outside', text)
  if (name === 'action' && /^(?:delete|drain|evict|destroy)/i.test(text)) can('destroys', text)
  if (name === 'kind' && text === 'CronJob') can('persistence', text)
  if (name === 'uses' && !text.startsWith('./')) can('spawns', text)
  return found
}
