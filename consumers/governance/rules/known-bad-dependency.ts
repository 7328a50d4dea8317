import type { Fact } from '../facts.ts'
import { BAD_ACTIONS, BAD_PACKAGES, isBefore } from './known-bad.ts'
import type { Call } from './matching.ts'
import { inCommands, inFields, sign } from './matching.ts'
import type { Rule } from './rule.ts'

/** WPK-P2-007: an action or package of which it is known that it was compromised or is vulnerable. */
export const knownBadDependency: Rule = {
  id: 'WPK-P2-007',
  version: 2,
  name: 'known bad dependency',
  severity: 'high',
  about:
    'Actions and packages of the list in `rules/known-bad.ts`: releases that carried malware, published advisories, names made to be mistaken. The list is no feed: what was published after this release is not in it, and silence proves nothing. A fixed version of the same name is silent.',
  remediation: 'Move to a fixed version, and replace what the compromised one could read.',
  hygiene: false,
  check: (view) => [...inFields(view, ofField), ...inCommands(view, judge)],
}

function ofField({ name, text }: Fact) {
  if (name !== 'uses') return null
  const [action = '', reference = ''] = text.split('@')
  const bad = BAD_ACTIONS.find((one) => one.action.test(action))
  const version = /^v?(\d+(?:\.\d+){0,2})$/.exec(reference.trim())?.[1]
  if (bad === undefined || version === undefined || !isBefore(version, bad.below)) return null
  return sign(`${bad.advisory} (before ${bad.below})`, 'high', 'high')
}

function judge({ name, args }: Call) {
  if (!/^(?:npm|pnpm|yarn|npx|pip3?|python3?|gem)$/.test(name)) return null
  for (const text of args) {
    const [, plain = '', version = ''] = /^(@?[\w./-]{2,80}?)(?:(?:@|==)([\w.-]{1,40}))?$/.exec(text) ?? []
    const bad = Object.hasOwn(BAD_PACKAGES, plain.toLowerCase()) ? BAD_PACKAGES[plain.toLowerCase()] : undefined
    if (bad === 'all' || bad?.includes(version) === true)
      return sign('a package that is known to be malicious is installed', 'high', 'high')
  }
  return null
}
