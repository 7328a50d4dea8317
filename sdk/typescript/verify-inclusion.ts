import { createHash } from 'node:crypto'
import type { InclusionProof, ProvenUsage, SentRecord, UsageReceiptOf } from './answers.ts'
import { AtomError, invalidArgument } from './atom-error.ts'
import { leafHash, rootOfPath } from './merkle.ts'

export interface VerifyOptions {
  /** What `POST /usage/report` or `GET /usage/receipts/{id}` answered; needed while no invoice has billed the record. */
  receipt?: UsageReceiptOf | undefined
  /** The bytes of the invoice, as you have them. Without them compare the answer's `sha256` with what you have. */
  invoice?: Uint8Array | undefined
  /** The record as you sent it; quantity and time may be spelled in another way. */
  record?: SentRecord | undefined
}

const CONTRIBUTION = [
  'report_id',
  'hour',
  'meter',
  'package',
  'version',
  'dimensions',
  'quantity',
  'records',
  'root',
] as const
type Json = Record<string, unknown>

/**
 * Checks offline what `GET /usage/receipts/{id}/proof` answered: that a record is in what a line of an invoice billed,
 * or under the root of its report. Throws AtomError `proof_invalid` when any part of it does not hold.
 */
export function verifyInclusion(proof: InclusionProof, options: VerifyOptions = {}): ProvenUsage {
  const all = members(proof, '', ['version', 'record', 'leaf'], ['report', 'place', 'path', 'contribution', 'invoice'])
  if (all.version !== 1) throw invalid('/version', 'is not 1')
  const record = object(all.record, '/record')
  const leaf = leafHash(Buffer.from(JSON.stringify(record)))
  if (all.leaf !== leaf.toString('hex')) throw invalid('/leaf', 'is not the hash of the record')
  if (options.record) sameRecord(options.record, record)
  if ('report' in all) {
    members(all, '', ['version', 'record', 'leaf', 'report'])
    return underReport(leaf, all.report, options)
  }
  return underInvoice(leaf, record, all, options)
}

function underReport(leaf: Buffer, value: unknown, { receipt }: VerifyOptions): ProvenUsage {
  const report = members(value, '/report', ['report_id', 'root', 'count', 'place', 'path'])
  // A root alone does not say how many leaves are under it.
  if (!receipt) throw invalidArgument('a proof up to a report is checked against the receipt of that report')
  for (const name of ['report_id', 'root', 'count'] as const)
    if (report[name] !== receipt[name]) throw invalid(`/report/${name}`, 'is not that of the receipt')
  comesTo(receipt.root, leaf, report, receipt.count, '/report')
  return { by: 'report', report_id: receipt.report_id, root: receipt.root }
}

function underInvoice(leaf: Buffer, record: Json, all: Json, { receipt, invoice: bytes }: VerifyOptions): ProvenUsage {
  members(all, '', ['version', 'record', 'leaf', 'place', 'path', 'contribution', 'invoice'])
  const used = members(all.contribution, '/contribution', CONTRIBUTION)
  const { report_id, hour, meter, quantity } = used
  if (receipt && receipt.report_id !== report_id) throw invalid('/contribution/report_id', 'is not the receipt’s')
  comesTo(used.root, leaf, all, used.records, '')
  const isOfHour = typeof record.time === 'string' && `${record.time.slice(0, 13)}:00:00Z` === hour
  const [packageName, version = ''] = typeof record.package === 'string' ? record.package.split('@') : ['']
  if (!isOfHour || record.meter !== meter || packageName !== used.package || version !== used.version)
    throw invalid('/contribution', 'is of another hour, meter, package or version than the record')
  const dimensions = Object.entries(object(used.dimensions, '/contribution/dimensions')).sort(byName)
  const text = JSON.stringify({
    ...Object.fromEntries(CONTRIBUTION.map((name) => [name, used[name]])),
    dimensions: Object.fromEntries(dimensions),
  })
  const invoice = members(all.invoice, '/invoice', ['number', 'sha256', 'line_id', 'place', 'path', 'body'])
  const body = Buffer.from(typeof invoice.body === 'string' ? invoice.body : '')
  if (sha256(body) !== invoice.sha256) throw invalid('/invoice/sha256', 'is not the SHA-256 of the invoice')
  if (bytes && sha256(bytes) !== invoice.sha256) throw invalid('/invoice/sha256', 'is not that of your invoice')
  const issued = invoiceIn(body)
  if (invoice.number !== issued.number) throw invalid('/invoice/number', 'is not that of the invoice')
  const line = issued.lines.find(({ id }) => id === invoice.line_id)
  if (!line) throw invalid('/invoice/line_id', 'is of no line of the invoice')
  if (line.meter !== meter || String(hour).slice(0, 7) !== line.period)
    throw invalid('/invoice/line_id', 'is of a line for another meter or month')
  comesTo(line.usage_root, leafHash(Buffer.from(text)), invoice, line.usage_reports, '/invoice')
  return {
    by: 'invoice',
    number: issued.number,
    sha256: String(invoice.sha256),
    tenant: issued.tenant,
    line_id: String(line.id),
    description: String(line.description),
    amount: String(line.amount),
    report_id: String(report_id),
    hour: String(hour),
    quantity: String(quantity),
  }
}

function invoiceIn(body: Buffer): { number: string; tenant: string; lines: Json[] } {
  try {
    const found = JSON.parse(body.toString('utf8'))
    if (typeof found.number === 'string' && typeof found.tenant === 'string' && Array.isArray(found.lines)) return found
  } catch {
    // The same as any other text that is no invoice.
  }
  throw invalid('/invoice/body', 'is no issued invoice')
}

function comesTo(root: unknown, leaf: Buffer, { place, path }: Json, size: unknown, at: string): void {
  if (!Array.isArray(path) || !path.every((one) => typeof one === 'string' && /^[0-9a-f]{64}$/.test(one)))
    throw invalid(`${at}/path`, 'is no list of hashes')
  const siblings = path.map((one: string) => Buffer.from(one, 'hex'))
  const found = rootOfPath(leaf, place as number, size as number, siblings)
  if (found === null || found.toString('hex') !== root) throw invalid(`${at}/path`, 'does not lead to the root')
}

/** The value as an object with these members and no others: what is not checked must not be in a proof. */
function members(value: unknown, at: string, needed: readonly string[], allowed: readonly string[] = []): Json {
  const found = object(value, at)
  const missing = needed.find((name) => !Object.hasOwn(found, name))
  if (missing !== undefined) throw invalid(`${at}/${missing}`, 'is missing')
  const other = Object.keys(found).find((name) => !needed.includes(name) && !allowed.includes(name))
  if (other !== undefined) throw invalid(`${at}/${other}`, 'is not a member of a proof')
  return found
}

function object(value: unknown, at: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(at, 'is not an object')
  return value as Json
}

function sameRecord(sent: SentRecord, record: Json): void {
  const quantity = `${sent.operation === 'remove' ? '-' : ''}${sent.quantity}`
  const faults = {
    id: sent.id !== record.id,
    meter: sent.meter !== record.meter,
    quantity: plain(quantity) !== record.quantity,
    time: new Date(sent.time).toISOString() !== record.time,
    package: sent.package !== undefined && sent.package !== record.package,
    dimensions: JSON.stringify(sorted(sent.dimensions)) !== JSON.stringify(sorted(record.dimensions as Json)),
  }
  for (const [name, isWrong] of Object.entries(faults))
    if (isWrong) throw invalid(`/record/${name}`, 'is not that of your record')
}

/** A decimal without what does not count: 01.50 is 1.5. */
function plain(quantity: string): string {
  const [, sign = '', whole = '', , fraction = ''] = /^(-?)0*(\d*)(\.(\d*?)0*)?$/.exec(quantity) ?? []
  const text = `${whole || '0'}${fraction && `.${fraction}`}`
  return text === '0' ? text : `${sign}${text}`
}

const sorted = (dimensions: Json = {}) => Object.entries(dimensions).sort(byName)
const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const invalid = (pointer: string, detail: string): AtomError =>
  new AtomError({
    code: 'proof_invalid',
    title: 'The proof does not hold',
    detail: `${pointer || 'the proof'} ${detail}`,
    errors: [{ pointer, detail }],
  })
