import type { Fact } from '../facts.ts'
import type { PackageView } from '../package-view.ts'
import { eventsOf, runsCheckout, runsForStrangers } from '../untrusted-trigger.ts'
import { findingAt, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

const PUBLISHES =
  /\b(?:npm|pnpm|yarn)\s+publish\b|\btwine\s+upload\b|\bcargo\s+publish\b|\bgem\s+push\b|\bdocker\s+push\b|\bgoreleaser\s+release\b|\bgh\s+release\s+(?:create|upload)\b|\bhelm\s+push\b|\bpoetry\s+publish\b/
const PUBLISH_ACTION =
  /^(?:pypa\/gh-action-pypi-publish|softprops\/action-gh-release|ncipollo\/release-action|goreleaser\/goreleaser-action|docker\/build-push-action|JS-DevTools\/npm-publish)/i

/** WPK-P3-017: what an untrusted run left behind goes into a release. */
export const cachePoisoning: Rule = {
  id: 'WPK-P3-017',
  version: 1,
  name: 'artifact or cache poisoning',
  severity: 'high',
  about:
    'Artifacts of a run that strangers may start, unpacked and run or published under a privileged event; a cache that is restored where a release is made. A build without publishing, and a release without a cache, are silent.',
  remediation: 'Build releases from the sources alone, and look at artifacts as data.',
  hygiene: false,
  check: (view) => [...artifacts(view), ...caches(view)],
}

const publishes = (fact: Fact): boolean =>
  fact.kind === 'command' ? PUBLISHES.test(fact.bare) : fact.name === 'uses' && PUBLISH_ACTION.test(fact.text)

function artifacts(view: PackageView): Finding[] {
  if (!runsForStrangers(view) || !eventsOf(view).includes('workflow_run')) return []
  const fetched = view.facts.filter(
    ({ kind, name, text, bare }) =>
      (name === 'uses' && /(?:^|\/)(?:action-)?download-artifact/.test(text)) ||
      (kind === 'command' && /\bgh run download\b|actions\/artifacts\//.test(bare)),
  )
  const first = fetched[0]
  if (first === undefined) return []
  const used = view.facts.some((fact) => fact.handler > first.handler && (publishes(fact) || runsCheckout(fact)))
  return used
    ? fetched.map((fact) =>
        findingAt(fact, sign('an artifact of an untrusted run is used', 'high', 'medium'), fact.bare),
      )
    : []
}

function caches(view: PackageView): Finding[] {
  const release =
    eventsOf(view).includes('release') ||
    view.facts.some(({ area, pointer }) => area === 'trigger' && /\/filter\/tags\//.test(pointer))
  if (!release || !view.facts.some(publishes)) return []
  return view.facts
    .filter(({ name, text }) => name === 'uses' && /^actions\/cache(?:\/restore)?@/.test(text))
    .map((fact) => findingAt(fact, sign('a cache is restored where a release is made', 'medium', 'low'), fact.text))
}
