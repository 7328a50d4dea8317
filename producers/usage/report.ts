import { uuidv7 } from 'uuidv7'
import { hasRole, type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { toRecord } from '../../platform/bus/binary-mode.ts'
import type { Bus } from '../../platform/bus/bus.ts'
import type { Clock } from '../../platform/clock.ts'
import { type Db, rows } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import { merkleRoot } from '../../platform/merkle.ts'
import { OrgId } from '../../schemas/envelope.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { type CheckedRecord, checkRecord, type RecordFault } from './check-record.ts'
import { recordCodes } from './errors.ts'
import { MAX_REPORT_BYTES, readRecords } from './report-body.ts'

const ORG_ID = new RegExp(OrgId.pattern as string)

export type UsageDeps = { db: Db; bus: Bus; now: Clock }
type Accepted = { index: number; pointer: string; record: CheckedRecord; tenant: string }
type Rejected = { index: number; id?: string; code: string; pointer: string; detail: string }

/**
 * POST /usage/report: 202 once what was accepted would survive a crash. Records are judged one by one; the answer
 * names each that was refused. Retrying a report with the same record ids counts nothing twice.
 */
export function reportRoute({ db, bus, now }: UsageDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const at = now()
    const { org } = call.principal
    const accepted: Accepted[] = []
    const rejected: Rejected[] = []
    for (const [index, { value, pointer }] of readRecords(call).entries()) {
      const result = checkRecord(value, at)
      if ('fault' in result) rejected.push(rejection(index, result.id, result.fault, pointer))
      else accepted.push({ index, pointer, record: result.record, tenant: result.tenant ?? org })
    }
    const kept: Accepted[] = []
    const packages = await packagesUsedBy(call.principal, accepted)
    for (const one of accepted) {
      const fault = one.tenant === org ? null : forAnother(call.principal, one.record, packages.get(one.tenant) ?? [])
      if (fault) rejected.push(rejection(one.index, one.record.id, fault, one.pointer))
      else kept.push(one)
    }
    rejected.sort((a, b) => a.index - b.index)
    return { status: 202, body: await store(call, kept, rejected, at) }
  }

  async function store(call: Call, kept: Accepted[], rejected: Rejected[], at: Date) {
    const report_id = uuidv7()
    const root = merkleRoot(kept.map(({ record }) => JSON.stringify(record)))
    const received_at = at.toISOString()
    const reporter = call.principal.org
    const events = byTenant(kept, reporter).map(([tenant, { records, indexes }]) =>
      usageReported.create(
        { report_id, tenant, reporter, received_at, root, records, ...(inOrder(indexes) ? {} : { indexes }) },
        { source: `//atom/usage/${reporter}`, now: at, id: `${report_id}/${tenant}`, traceparent: call.traceparent },
      ),
    )
    fault('usage.before-produce')
    await bus.produce(events.map((event) => toRecord(event, usageReported.topic)))
    fault('usage.after-produce')
    return { report_id, accepted: kept.length, rejected, receipt: { root, count: kept.length } }
  }

  /** The caller's packages that each of the other tenants named is subscribed to. */
  async function packagesUsedBy(principal: Principal, accepted: readonly Accepted[]): Promise<Map<string, string[]>> {
    // A name no organisation can have is not asked for: text the database cannot take would fail the whole report.
    const others = [...new Set(accepted.map(({ tenant }) => tenant))].filter(
      (tenant) => tenant !== principal.org && ORG_ID.test(tenant),
    )
    if (others.length === 0) return new Map()
    const found = await db.transaction(
      (tx) =>
        rows<{ tenant: string; packages: string[] }>(
          tx,
          `select tenant, array_agg(distinct package) as packages from metering.subscriptions
           where partner = ? and tenant = any(?::text[]) group by tenant`,
          [principal.org, others],
        ),
      { scope: scopeOf(principal) },
    )
    return new Map(found.map(({ tenant, packages }) => [tenant, packages]))
  }

  return {
    method: 'POST',
    path: '/usage/report',
    summary: 'Report usage: one record, up to 1000, or CloudEvents',
    access: { roles: ['tenant', 'partner'], scopes: ['report'] },
    maxBytes: MAX_REPORT_BYTES,
    handle,
  }
}

/**
 * A partner may report for a tenant only what its own packages did there. Without a package the record is put to the
 * one package in use; where there are several, it could end up on another partner's line, so it must say.
 */
function forAnother(principal: Principal, record: CheckedRecord, packages: readonly string[]): RecordFault | null {
  const fault = (code: 'not_subscribed' | 'package_needed', pointer: string) => ({
    code,
    pointer,
    detail: recordCodes[code],
  })
  const mayReport = principal.kind === 'api-key' || hasRole(principal, 'partner')
  if (packages.length === 0 || !mayReport) return fault('not_subscribed', '/tenant')
  if (record.package !== undefined)
    return packages.includes(record.package.split('@')[0] as string) ? null : fault('not_subscribed', '/package')
  if (packages.length > 1) return fault('package_needed', '/package')
  record.package = packages[0] as string
  return null
}

function rejection(index: number, id: string | undefined, fault: RecordFault, base: string): Rejected {
  return { index, ...(id === undefined ? {} : { id }), ...fault, pointer: `${base}${fault.pointer}` }
}

type Group = { records: CheckedRecord[]; indexes: number[] }

/** One group per tenant; a report without any record still belongs to its reporter. */
function byTenant(kept: readonly Accepted[], reporter: string): [string, Group][] {
  const groups = new Map<string, Group>()
  for (const { tenant, record, index } of kept) {
    const group = groups.get(tenant) ?? { records: [], indexes: [] }
    group.records.push(record)
    group.indexes.push(index)
    groups.set(tenant, group)
  }
  if (groups.size === 0) groups.set(reporter, { records: [], indexes: [] })
  return [...groups]
}

const inOrder = (indexes: readonly number[]): boolean => indexes.every((index, place) => index === place)
