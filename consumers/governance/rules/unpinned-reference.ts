import type { Fact } from '../facts.ts'
import type { Call } from './matching.ts'
import { inCommands, inFields, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const FIRST_PARTY = /^(?:actions|github)\//
const MOVING = /^(?:main|master|latest|dev|develop|trunk|HEAD|edge|nightly|next)$/
const RAW_MOVING =
  /raw\.githubusercontent\.com\/[^/\s]{1,100}\/[^/\s]{1,100}\/(?:refs\/heads\/)?(?:main|master|develop|HEAD)\/|github\.com\/[^/\s]{1,100}\/[^/\s]{1,100}\/(?:raw|blob)\/(?:main|master|develop|HEAD)\//

/** WPK-P2-004: what is referred to can change after the review. Advice only. */
export const unpinnedReference: Rule = {
  id: 'WPK-P2-004',
  version: 1,
  name: 'remote reference not pinned',
  severity: 'medium',
  about:
    'Actions, templates and manifests of others that are named by branch (medium) or tag (low). A commit of 40 digits and paths inside the package are silent. Advice: it never holds a package by itself.',
  remediation: 'Refer to the commit and keep the version in a comment.',
  hygiene: true,
  check: (view) => [...inFields(view, ofField), ...inCommands(view, judge)],
}

function ofField({ name, text, kind }: Fact) {
  if (kind === 'image') return null
  if (name === 'uses') {
    if (/^\.{1,2}\/|^docker:\/\//.test(text) || /\$\{/.test(text)) return null
    const reference = text.includes('@') ? text.slice(text.lastIndexOf('@') + 1).trim() : ''
    if (/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(reference)) return null
    if (reference === '' || MOVING.test(reference)) return sign('an action follows a branch', 'medium', 'high')
    // Branch names that are no version can move as well, but some are releases.
    return /^v?\d/.test(reference)
      ? sign('an action is named by a tag', 'low', FIRST_PARTY.test(text) ? 'low' : 'high')
      : sign('an action is named by a branch or tag', 'medium', 'low')
  }
  return /^(?:template|manifest_url|source|chart_url|script_url|ref_url|include|remote)$/.test(name) &&
    RAW_MOVING.test(text)
    ? sign('a file of a branch is used', 'medium', 'medium')
    : null
}

function judge({ name, args, line }: Call) {
  if (/^(?:kubectl|oc)$/.test(name) && /\b(?:apply|create|replace)\b/.test(line)) {
    const url = args.find((text) => /^https?:\/\//.test(text))
    if (url === undefined) return null
    return RAW_MOVING.test(url) || /\/latest\//.test(url)
      ? sign('a manifest of a branch is applied', 'medium', 'medium')
      : null
  }
  return /^(?:curl|wget)$/.test(name) && args.some((text) => RAW_MOVING.test(text))
    ? sign('a file of a branch is fetched', 'low', 'medium')
    : null
}
