import { capabilitiesOf } from '../capabilities.ts'
import type { Fact } from '../facts.ts'
import type { PackageView } from '../package-view.ts'
import { secretVariable } from '../sensitive-sources.ts'
import { eventsOf, fetchesSubmission, runsCheckout, runsForStrangers } from '../untrusted-trigger.ts'
import { findingAt, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

const CHANGES = new Set(['mutates_cluster', 'writes_secret', 'changes_access'])
const PAYLOAD =
  /\$\{\{?\s?(?:event|payload|webhook|body|request|trigger)[.[]|\{\{\s?\.?(?:event|payload|webhook|body|request|trigger)[.[]/i

/** WPK-P3-004: anybody may start it, and it runs what they sent, with the rights of its owner. */
export const untrustedCodeRun: Rule = {
  id: 'WPK-P3-004',
  version: 2,
  name: 'untrusted trigger runs code',
  severity: 'critical',
  about:
    'A privileged event that strangers cause (`pull_request_target`, `workflow_run`, comments) with a checkout of what they sent, and the steps after it that run it; a build of a change request in a pipeline that holds secrets; a webhook without authentication whose payload reaches a command (critical) or that starts what changes things (medium). A privileged event that only labels or comments is silent.',
  remediation: 'Build what strangers send without secrets, and use its results in a second package.',
  hygiene: false,
  check: (view) => [...submissions(view), ...changeRequests(view), ...openWebhooks(view)],
}

function submissions(view: PackageView): Finding[] {
  if (!runsForStrangers(view)) return []
  const fetches = fetchesSubmission(view)
  const first = fetches[0]
  if (first === undefined) return []
  const runs = view.facts.filter(
    (fact) => fact.handler >= first.handler && fact.area === 'handler' && (runsCheckout(fact) || isLocalAction(fact)),
  )
  const grave = runs.length > 0
  return [
    ...fetches.map((fact) =>
      findingAt(
        fact,
        sign(
          'what a stranger sent is fetched under a privileged event',
          grave ? 'critical' : 'high',
          grave ? 'high' : 'medium',
        ),
        fact.bare,
      ),
    ),
    ...runs.map((fact) =>
      findingAt(fact, sign('what a stranger sent is run under a privileged event', 'critical', 'high'), fact.bare),
    ),
  ]
}

const isLocalAction = ({ name, text }: Fact): boolean => name === 'uses' && /^\.\//.test(text)

/** Pipelines of own servers give change requests the secrets of the project; the well-known hosted one does not. */
function changeRequests(view: PackageView): Finding[] {
  const hosted = view.facts.some(({ area, name, text }) => area === 'trigger' && name === 'source' && text === 'github')
  if (hosted || !eventsOf(view).some((event) => /^(?:pull_request|merge_request)$/.test(event))) return []
  const secret = view.facts.some(({ bare, area }) => area === 'handler' && secretVariable(bare) !== null)
  const run = view.facts.find(runsCheckout)
  if (run === undefined) return []
  const seen = secret
    ? sign('a change request is built where secrets are at hand', 'high', 'low')
    : sign('a change request is built on a server of its own', 'medium', 'low')
  return [findingAt(run, seen, run.bare)]
}

function openWebhooks(view: PackageView): Finding[] {
  const triggers = view.wpk.spec.triggers ?? []
  const open = triggers.findIndex(({ type, config }) => {
    if (type !== 'webhook' || config?.source !== undefined) return false
    const auth = config?.auth ?? config?.authentication ?? config?.secret ?? config?.token
    return auth === undefined || auth === null || auth === false || auth === 'none' || auth === ''
  })
  if (open === -1) return []
  const reached = view.facts.filter(({ kind, bare }) => kind === 'command' && PAYLOAD.test(bare))
  if (reached.length > 0)
    return reached.map((fact) =>
      findingAt(
        fact,
        sign('the payload of a webhook without authentication reaches a command', 'critical', 'medium'),
        fact.bare,
      ),
    )
  return capabilitiesOf(view).some((name) => CHANGES.has(name))
    ? [
        {
          pointer: `/spec/triggers/${open}`,
          severity: 'medium',
          confidence: 'low',
          message: 'anybody who knows the address of its webhook may start it, and it changes things',
          matched: 'webhook without authentication',
        },
      ]
    : []
}
