import { scopeOf } from '../../../platform/auth/principal.ts'
import { rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, everyone, type Route } from '../../../platform/http/route.ts'
import { inclusionPath, rootOf } from '../../../platform/merkle.ts'
import { isUuid } from '../../../platform/uuid.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'
import { billedBy } from './billed-by.ts'
import { billedLeaves } from './billed-usage.ts'
import { type Contribution, contributionLeaf, recordLeaf } from './contribution.ts'
import { contributionsOf, countedRecords, placeKey, repeatsOf, type Sent, sentOf } from './counted-records.ts'
import { REPORT_COLUMNS, readReport, retainedUntil, type StoredReport } from './report-log.ts'

type Counted = Contribution & { after_invoice: string | null }
type Found = {
  own: StoredReport
  all: StoredReport[]
  contributions: Counted[]
  repeats: ReadonlySet<number>
}

/**
 * GET /usage/receipts/{id}/proof?index=N: that record N of a report is in what an invoice billed or, with `to=report`
 * and while no invoice has, that it is under the report's root. `verifyInclusion` of the SDKs checks it offline.
 */
export function proofRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const id = call.params.report_id ?? ''
    if (!isUuid(id)) throw unknown()
    const index = indexOf(call)
    const to = call.query.get('to') ?? 'invoice'
    if (to !== 'invoice' && to !== 'report') throw httpError('parameter_invalid', '`to` is `invoice` or `report`')
    const scope = scopeOf(call.principal)
    const found = await deps.db.transaction((tx) => find(tx, id, index), { scope })
    const report = await readReport(deps.bus, found.own)
    const until = retainedUntil(found.own).toISOString()
    if (!report)
      throw billingError(
        'usage_expired',
        `the log keeps reports until ${until}; a proof that was asked for before stays good`,
      )
    const sent = sentOf(report).find((one) => one.index === index) as Sent
    const counted = countedRecords(report, found.contributions, found.repeats)
    const contribution =
      to === 'invoice' && found.contributions.find((one) => (counted.get(placeKey(one)) ?? []).some(is(sent)))
    const billed =
      contribution && (await deps.db.transaction((tx) => toInvoice(tx, found.own.tenant, contribution), { scope }))
    const { record } = sent
    const known = { version: 1, record, leaf: recordLeaf(record).toString('hex') }
    if (!billed) return { status: 200, body: { ...known, report: await toReport(found, sent) } }
    const { after_invoice: _after, ...shown } = contribution
    const among = counted.get(placeKey(contribution)) ?? []
    const own = proofOf(
      among.map((one) => recordLeaf(one.record)),
      among.findIndex(is(sent)),
      shown.root,
    )
    return { status: 200, body: { ...known, ...own, contribution: shown, invoice: billed } }
  }

  /** Up to the root that the report was answered with: over the records of all tenants it names, as they were sent. */
  async function toReport({ all }: Found, { index }: Sent) {
    const records: Sent[] = []
    for (const one of all) {
      const report = await readReport(deps.bus, one)
      if (report) records.push(...sentOf(report))
    }
    records.sort((a, b) => a.index - b.index)
    const { report_id, root } = all[0] as StoredReport
    const leaves = records.map(({ record }) => recordLeaf(record))
    if (rootOf(leaves).toString('hex') !== root)
      throw billingError(
        'proof_unavailable',
        'the report holds usage of others too: its reporter can have this proof, and you once an invoice bills yours',
      )
    const place = records.findIndex((one) => one.index === index)
    return { report_id, root, count: records.length, ...proofOf(leaves, place, root) }
  }

  return {
    method: 'GET',
    path: '/usage/receipts/:report_id/proof',
    summary: 'Proof that a record is in what an invoice billed, to be checked offline',
    access: everyone,
    handle,
  }
}

async function find(tx: Tx, id: string, index: number): Promise<Found> {
  const all = await rows<StoredReport>(
    tx,
    `select ${REPORT_COLUMNS} from metering.reports where report_id = ? order by tenant`,
    [id],
  )
  if (all.length === 0) throw unknown()
  const own = all.find(({ indexes, record_count }) => (indexes ? indexes.includes(index) : index < record_count))
  if (!own) throw httpError('not_found', `record ${index} was not accepted with this report, so no root is over it`)
  const { tenant } = own
  const repeats = (await repeatsOf(tx, tenant, [id])).get(id) ?? new Set<number>()
  return { own, all, contributions: await contributionsOf(tx, tenant, [id]), repeats }
}

async function toInvoice(tx: Tx, tenant: string, contribution: Counted) {
  const billed = await billedBy(tx, tenant, [contribution])
  const first = billed.find(({ invoice }) => !invoice.rebilled) ?? billed[0]
  if (!first) return null
  const { number, sha256, body } = first.invoice
  const { line } = first
  const { id: line_id, usage_packages: packages = [], usage_left_out: leftOut = [], usage_root = '' } = line
  const [leaves = []] = await billedLeaves(tx, [{ tenant, line, packages, leftOut, before: number }])
  const leaf = contributionLeaf(contribution)
  const place = leaves.findIndex((one) => one.equals(leaf))
  const path = proofOf(leaves, place, usage_root)
  return { number, sha256, line_id, ...path, body: body.toString('utf8') }
}

function proofOf(leaves: readonly Buffer[], place: number, root: string): { place: number; path: string[] } {
  if (rootOf(leaves).toString('hex') !== root)
    throw new Error(`${leaves.length} leaves do not come to the root ${root} that was stored over them`)
  return { place, path: inclusionPath(leaves, place).map((one) => one.toString('hex')) }
}

const is = (sent: Sent) => (one: Sent) => one.index === sent.index

function indexOf(call: Call): number {
  const index = call.query.get('index') ?? ''
  if (!/^\d{1,3}$/.test(index))
    throw httpError('parameter_invalid', '`index` is the place of a record in the report as it was sent, from 0')
  return Number(index)
}

const unknown = () => httpError('not_found', 'no receipt with this id; a report is counted within seconds of its 202')
