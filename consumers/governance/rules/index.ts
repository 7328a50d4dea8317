import { createHash } from 'node:crypto'
import { adHocInstall } from './ad-hoc-install.ts'
import { autoWithoutApproval } from './auto-without-approval.ts'
import { cachePoisoning } from './cache-poisoning.ts'
import { commandInjection } from './command-injection.ts'
import { crossTenantScope } from './cross-tenant-scope.ts'
import { dataExfiltration } from './data-exfiltration.ts'
import { defenceTampering } from './defence-tampering.ts'
import { destructiveAction } from './destructive-action.ts'
import { excessivePermission } from './excessive-permission.ts'
import { hardCodedSecret } from './hard-coded-secret.ts'
import { hardToJudge } from './hard-to-judge.ts'
import { hostAccess } from './host-access.ts'
import { identityTokenExposure } from './identity-token-exposure.ts'
import { knownBadDependency } from './known-bad-dependency.ts'
import { missingFailureAlert } from './missing-failure-alert.ts'
import { mutationWithoutWayBack } from './mutation-without-way-back.ts'
import { nameSimilarity } from './name-similarity.ts'
import { networkExposure } from './network-exposure.ts'
import { obfuscatedExecution } from './obfuscated-execution.ts'
import { persistence } from './persistence.ts'
import { privilegedContainer } from './privileged-container.ts'
import { rbacEscalation } from './rbac-escalation.ts'
import { remoteScriptExecuted } from './remote-script-executed.ts'
import { resourceHijack } from './resource-hijack.ts'
import { reverseShell } from './reverse-shell.ts'
import type { OriginRule, Rule } from './rule.ts'
import { secretNotFromVault } from './secret-not-from-vault.ts'
import { secretOverExposure } from './secret-over-exposure.ts'
import { secretToOutput } from './secret-to-output.ts'
import { sensitiveRead } from './sensitive-read.ts'
import { sharedRunner } from './shared-runner.ts'
import { signatureFault } from './signature-fault.ts'
import { unboundedExecution } from './unbounded-execution.ts'
import { unknownSigner } from './unknown-signer.ts'
import { unpinnedImage } from './unpinned-image.ts'
import { unpinnedReference } from './unpinned-reference.ts'
import { unsafeRuntimeFeature } from './unsafe-runtime-feature.ts'
import { unsoundGuard } from './unsound-guard.ts'
import { untrustedCodeRun } from './untrusted-code-run.ts'
import { weakHardening } from './weak-hardening.ts'
import { weakTransport } from './weak-transport.ts'

/** The one list of rules: a rule is in force when it stands here. Ordered by id. */
export const RULES: readonly Rule[] = [
  hardCodedSecret,
  secretToOutput,
  secretOverExposure,
  dataExfiltration,
  sensitiveRead,
  weakTransport,
  unpinnedImage,
  unpinnedReference,
  remoteScriptExecuted,
  adHocInstall,
  knownBadDependency,
  secretNotFromVault,
  autoWithoutApproval,
  mutationWithoutWayBack,
  commandInjection,
  untrustedCodeRun,
  reverseShell,
  obfuscatedExecution,
  destructiveAction,
  persistence,
  defenceTampering,
  privilegedContainer,
  hostAccess,
  weakHardening,
  unboundedExecution,
  unsafeRuntimeFeature,
  resourceHijack,
  unsoundGuard,
  cachePoisoning,
  missingFailureAlert,
  excessivePermission,
  crossTenantScope,
  rbacEscalation,
  identityTokenExposure,
  networkExposure,
  sharedRunner,
  hardToJudge,
]

/** The rules on what the marketplace found of an upload and its event carries: the bytes of a package do not say it. */
export const ORIGIN_RULES: readonly OriginRule[] = [signatureFault, unknownSigner, nameSimilarity]

/** Both lists, ordered by id. */
export const ALL_RULES: readonly (Rule | OriginRule)[] = [...RULES, ...ORIGIN_RULES].sort((a, b) =>
  a.id < b.id ? -1 : 1,
)

/** Names the rules and their versions: it changes when any rule does. */
export const RULESET = `rules-${createHash('sha256')
  .update(ALL_RULES.map((rule) => `${rule.id}@${rule.version}`).join('\n'))
  .digest('hex')
  .slice(0, 16)}`

export const HYGIENE_RULES: ReadonlySet<string> = new Set(RULES.filter((rule) => rule.hygiene).map((rule) => rule.id))
