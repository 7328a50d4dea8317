import { viewOf } from '../../../consumers/governance/package-view.ts'
import { type Rule, runRule } from '../../../consumers/governance/rules/rule.ts'
import type { Violation } from '../../../schemas/verdict.ts'
import type { Wpk, WpkHandler } from '../../../schemas/wpk.ts'

/** A package with these handlers, manual and approved; `spec` overrides. */
export const packageWith = (handlers: WpkHandler[], spec: Partial<Wpk['spec']> = {}): Wpk => ({
  apiVersion: 'v1',
  kind: 'WorkflowPackage',
  metadata: { name: 'under-test', version: '1.0.0' },
  spec: { safety: { mode: 'manual', approval_required: true }, handlers, ...spec },
})

export const shell = (command: string, more: Record<string, unknown> = {}): WpkHandler => ({
  name: 'step',
  type: 'shell',
  config: { command, ...more },
})

export const apply = (manifest: unknown): WpkHandler => ({
  name: 'apply',
  type: 'k8s',
  config: { action: 'apply', manifest },
})

export const api = (config: Record<string, unknown>): WpkHandler => ({ name: 'call', type: 'api', config })

/** What one rule finds in a package. */
export const findings = (rule: Rule, wpk: Wpk): Violation[] => runRule(rule, viewOf(wpk))

export const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
