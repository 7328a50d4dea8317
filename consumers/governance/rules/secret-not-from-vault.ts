import { at, isFields } from '../manifests.ts'
import { isReference } from '../secret-names.ts'
import type { Call } from './matching.ts'
import { inCommands, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

/** WPK-P2-008: a secret is made from the package's own text instead of from Vault. */
export const secretNotFromVault: Rule = {
  id: 'WPK-P2-008',
  version: 1,
  name: 'secret not from Vault',
  severity: 'medium',
  about:
    'Kubernetes Secrets whose `data` or `stringData` stand in the package, and `kubectl create secret --from-literal` of a literal. Values that refer to Vault or to a variable are silent.',
  remediation: 'Let Vault or an external-secrets operator fill the Secret.',
  hygiene: false,
  check: (view) => [
    ...view.manifests
      .filter(({ kind, object }) => kind === 'Secret' && holdsValues(object))
      .map(
        ({ pointer, object }): Finding => ({
          pointer,
          severity: 'medium',
          confidence: 'low',
          message: 'the Secret is filled from the text of the package',
          matched: `secret ${String(at(object, 'metadata', 'name') ?? '')}`,
        }),
      ),
    ...inCommands(view, judge),
  ],
}

const holdsValues = (object: Record<string, unknown>): boolean =>
  [object.data, object.stringData].some(
    (values) =>
      isFields(values) && Object.values(values).some((value) => typeof value === 'string' && !isReference(value)),
  )

function judge({ name, args, line }: Call) {
  if (!/^(?:kubectl|oc)$/.test(name) || !/\bcreate secret\b/.test(line)) return null
  const literal = args.find((text) => /^--from-literal=/.test(text)) ?? args[args.indexOf('--from-literal') + 1]
  const value = literal?.replace(/^--from-literal=/, '').replace(/^[^=]*=/, '') ?? ''
  return args.some((text) => text.startsWith('--from-literal')) && value !== '' && !isReference(value)
    ? sign('a Secret is made from a literal', 'medium', 'medium')
    : null
}
