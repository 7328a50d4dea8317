import type { Wpk } from '../../schemas/wpk.ts'
import { appliedManifests } from './applied-manifests.ts'
import { type Fact, factsOf } from './facts.ts'
import { hostOf } from './hosts.ts'
import { MAX_MANIFESTS, type Manifest, manifestsOf } from './manifests.ts'

/** One package as the rules see it: the document and the facts drawn from it, once. */
export type PackageView = { wpk: Wpk; facts: Fact[]; manifests: Manifest[]; alertHosts: ReadonlySet<string> }

/** Draws the facts of a package; hosts of its declared alerts count as known receivers. */
export function viewOf(wpk: Wpk): PackageView {
  const facts = factsOf(wpk)
  const alertHosts = new Set<string>()
  for (const fact of facts) {
    const host = fact.area === 'alert' ? hostOf(fact.text) : null
    if (host !== null) alertHosts.add(host)
  }
  const applied = facts.flatMap(({ pipelines, pointer }) => appliedManifests(pipelines, pointer))
  return { wpk, facts, manifests: [...manifestsOf(wpk), ...applied].slice(0, MAX_MANIFESTS), alertHosts }
}
