import { parseDocument } from '../../../platform/document.ts'
import type { Violation } from '../../../schemas/verdict.ts'
import { diffDocuments } from '../catalog/diff.ts'
import type { Stored } from '../catalog/diff-stored.ts'
import { MAX_WPK_BYTES } from '../reading/upload-body.ts'
import { maskedValue, secretPlaces } from './masking.ts'
import { addedTo, surfaceOf } from './surface.ts'

/** Larger values are read in the document itself. */
const MOST_VALUE = 8_000

/** A version and what its verdict found in it. */
export type Examined = Stored & { violations: Violation[]; capabilities: string[] }
type Read = Examined & { document: unknown; secrets: Set<string>; strict: string[] }

/**
 * What a reviewer sees of a document: each finding at its place, what changed since the version approved last, and what
 * was added to it. Secrets are masked wherever they stand.
 */
export function examine({ newer, earlier }: { newer: Examined; earlier: Examined | null }) {
  const read = readDocument(newer)
  const before = earlier && readDocument(earlier)
  return {
    findings: newer.violations.map((one) => atItsPlace(one, read)),
    diff: before && maskedDiff(before, read),
    added: added(before, read),
  }
}

function readDocument(one: Examined): Read {
  const parsed = parseDocument(one.bytes, { maxBytes: MAX_WPK_BYTES }, one.mediaType)
  // It was read at the upload; a reader that has grown stricter since shows a finding without its value.
  const document = parsed.ok ? parsed.value : null
  const strict = one.violations.filter(isOfSecret).map(({ pointer }) => pointer)
  return { ...one, document, secrets: secretPlaces(document), strict }
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

/** Over the last approved version; of a first version all it has. */
function added(earlier: Read | null, { capabilities: all, document }: Read) {
  const before = earlier?.capabilities ?? []
  const capabilities = all.filter((one) => !before.includes(one))
  const surface = surfaceOf(document)
  return { capabilities, ...(earlier ? addedTo(surfaceOf(earlier.document), surface) : surface) }
}
