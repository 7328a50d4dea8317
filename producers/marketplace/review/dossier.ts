import { readArtifact } from '../../../platform/artifacts.ts'
import { scopeOf } from '../../../platform/auth/principal.ts'
import type { Tx } from '../../../platform/db.ts'
import { parseDocument } from '../../../platform/document.ts'
import { httpError } from '../../../platform/http/errors.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { Violation } from '../../../schemas/verdict.ts'
import { diffDocuments } from '../catalog/diff.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { reasonTemplates } from '../policy/reason-templates.ts'
import { signerOf } from '../signers.ts'
import { MAX_WPK_BYTES } from '../upload-body.ts'
import { findVersion, threadOf, type VersionRow } from '../version-row.ts'
import { approvalsOf } from './approvals.ts'
import { lastApproved } from './last-approved.ts'
import { maskedValue, secretPlaces } from './masking.ts'
import { offeredFindings } from './overrides.ts'
import { signerHistory, similarDecisions } from './precedents.ts'
import { pricePlans } from './price-plans.ts'
import { queued } from './queue.ts'
import { addedTo, surfaceOf } from './surface.ts'
import { entryOf, lastEntries } from './thread.ts'

/** Larger values are read in the document itself. */
const MOST_VALUE = 8_000
type Read = { version: VersionRow; document: unknown; secrets: Set<string>; strict: string[] }

/** GET /reviews/{id}: everything that a decision needs, in one answer. Secrets are masked wherever they stand. */
export function dossierRoute(deps: MarketplaceDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const now = deps.now()
    const found = await deps.db.transaction((tx) => readAll(tx, call.params.id ?? '', now), {
      scope: scopeOf(call.principal),
    })
    const { version, approvals, read, earlier, signer, history, similar, thread, accepted, prices } = found
    const rules = new Set(version.verdict?.violations.map(({ rule_id }) => rule_id))
    return {
      status: 200,
      body: {
        ...queued(version, approvals, now),
        status: version.status,
        safety_mode: version.safety_mode,
        submitted_at: version.submitted_at.toISOString(),
        approved_by: approvals?.by ?? [],
        findings: (version.verdict?.violations ?? []).map((one) => atItsPlace(one, read)),
        compared_to: earlier && comparedTo(earlier.version),
        diff: earlier && maskedDiff(earlier, read),
        added: added(earlier, read),
        signer: { ...signer, ...history },
        similar_decisions: similar,
        accepted_findings: accepted,
        price_plans: prices,
        templates: reasonTemplates.filter(({ rule }) => rule === null || rules.has(rule)),
        thread: { thread_id: threadOf(version), entries: thread.map(entryOf) },
      },
    }
  }
  const access = { roles: ['reviewer'] as const }
  return { method: 'GET', path: '/reviews/:id', summary: 'Everything needed to decide', access, handle }
}

async function readAll(tx: Tx, id: string, now: Date) {
  const version = await findVersion(tx, id)
  const before = await lastApproved(tx, version)
  return {
    version,
    read: await readVersion(tx, version),
    earlier: before && (await readVersion(tx, before)),
    approvals: (await approvalsOf(tx, [version])).get(version.id),
    signer: await signerOf(tx, version),
    history: await signerHistory(tx, version),
    similar: await similarDecisions(tx, version),
    accepted: await offeredFindings(tx, version, now),
    prices: await pricePlans(tx, version, now),
    thread: await lastEntries(tx, version),
  }
}

async function readVersion(tx: Tx, version: VersionRow): Promise<Read> {
  const bytes = await readArtifact(tx, version.org, version.digest)
  if (!bytes) throw httpError('not_found', 'no package version with this id')
  const parsed = parseDocument(bytes, { maxBytes: MAX_WPK_BYTES }, version.media_type)
  // It was read at the upload; a reader that has grown stricter since shows a finding without its value.
  const document = parsed.ok ? parsed.value : null
  const strict = (version.verdict?.violations ?? []).filter(isOfSecret).map(({ pointer }) => pointer)
  return { version, document, secrets: secretPlaces(document), strict }
}

/** A secret in plain text: what stands there is not shown whole to anybody. */
const isOfSecret = ({ rule_id }: Violation): boolean => rule_id === 'WPK-P1-001' || rule_id === 'WPK-P2-008'

function atItsPlace(one: Violation, { document, secrets, strict }: Read) {
  const value = valueAt(document, one.pointer)
  if (value === undefined) return { ...one, value: null, value_omitted: true }
  const shown = maskedValue(value, one.pointer, secrets, strict)
  return JSON.stringify(shown).length > MOST_VALUE
    ? { ...one, value: null, value_omitted: true }
    : { ...one, value: shown }
}

/** What an RFC 6901 pointer leads to; the nearest place above it where it leads into a text. */
function valueAt(document: unknown, pointer: string): unknown {
  let value = document
  for (const step of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return value ?? undefined
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

function maskedDiff(earlier: Read, read: Read) {
  const { changes, truncated } = diffDocuments(earlier.document, read.document)
  const masked = changes.map((change) => ({
    ...change,
    ...('to' in change ? { to: maskedValue(change.to, change.pointer, read.secrets, read.strict) } : {}),
    ...('from' in change ? { from: maskedBefore(change.from, change.pointer, earlier, read) } : {}),
  }))
  return { changes: masked, truncated }
}

/** A replaced value has its pointer in the newer document, a removed one in the older: it is masked by both. */
function maskedBefore(value: unknown, pointer: string, earlier: Read, read: Read): unknown {
  const secrets = new Set([...earlier.secrets, ...read.secrets])
  return maskedValue(value, pointer, secrets, [...earlier.strict, ...read.strict])
}

const comparedTo = ({ id, version, digest, status }: VersionRow) => ({ id, version, digest, status })

/** Over the last approved version; of a first version all it has. */
function added(earlier: Read | null, { version, document }: Read) {
  const before = earlier?.version.verdict?.capabilities ?? []
  const capabilities = (version.verdict?.capabilities ?? []).filter((one) => !before.includes(one))
  const surface = surfaceOf(document)
  return { capabilities, ...(earlier ? addedTo(surfaceOf(earlier.document), surface) : surface) }
}
