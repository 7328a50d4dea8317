import { createHash } from 'node:crypto'
import { autoWithoutApproval } from './auto-without-approval.ts'
import { commandInjection } from './command-injection.ts'
import { dataExfiltration } from './data-exfiltration.ts'
import { hardCodedSecret } from './hard-coded-secret.ts'
import { privilegedContainer } from './privileged-container.ts'
import { remoteScriptExecuted } from './remote-script-executed.ts'
import { reverseShell } from './reverse-shell.ts'
import type { Rule } from './rule.ts'
import { unpinnedImage } from './unpinned-image.ts'

/** The one list of rules: a rule is in force when it stands here. Ordered by id. */
export const RULES: readonly Rule[] = [
  hardCodedSecret,
  dataExfiltration,
  unpinnedImage,
  remoteScriptExecuted,
  autoWithoutApproval,
  commandInjection,
  reverseShell,
  privilegedContainer,
]

/** Names the rules and their versions: it changes when any rule does. */
export const RULESET = `rules-${createHash('sha256')
  .update(RULES.map((rule) => `${rule.id}@${rule.version}`).join('\n'))
  .digest('hex')
  .slice(0, 16)}`

export const HYGIENE_RULES: ReadonlySet<string> = new Set(RULES.filter((rule) => rule.hygiene).map((rule) => rule.id))
