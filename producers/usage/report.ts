import { uuidv7 } from 'uuidv7'
import { type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { toRecord } from '../../platform/bus/binary-mode.ts'
import type { Bus } from '../../platform/bus/bus.ts'
import type { Clock } from '../../platform/clock.ts'
import { type Db, rows } from '../../platform/db.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import { merkleRoot } from '../../platform/merkle.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { type CheckedRecord, checkRecord, type RecordFault } from './check-record.ts'
import { recordCodes } from './errors.ts'
import { MAX_REPORT_BYTES, readRecords } from './report-body.ts'

export type UsageDeps = { db: Db; bus: Bus; now: Clock }
type Accepted = { index: number; record: CheckedRecord; tenant: string }
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
      else accepted.push({ index, record: result.record, tenant: result.tenant ?? org })
    }
    const refused = await notSubscribed(call.principal, accepted)
    for (const { index, record } of refused)
      rejected.push(
        rejection(
          index,
          record.id,
          { code: 'not_subscribed', pointer: '/tenant', detail: recordCodes.not_subscribed },
          '',
        ),
      )
    const kept = accepted.filter((one) => !refused.has(one))
    rejected.sort((a, b) => a.index - b.index)
    return { status: 202, body: await store(call, kept, rejected, at) }
  }

  async function store(call: Call, kept: Accepted[], rejected: Rejected[], at: Date) {
    const report_id = uuidv7()
    const root = merkleRoot(kept.map(({ record }) => Buffer.from(JSON.stringify(record))))
    const received_at = at.toISOString()
    const reporter = call.principal.org
    const events = byTenant(kept).map(([tenant, records]) =>
      usageReported.create(
        { report_id, tenant, reporter, received_at, root, records },
        { source: `//atom/usage/${reporter}`, now: at, id: `${report_id}/${tenant}`, traceparent: call.traceparent },
      ),
    )
    if (events.length > 0) await bus.produce(events.map((event) => toRecord(event, usageReported.topic)))
    return { report_id, accepted: kept.length, rejected, receipt: { root, count: kept.length } }
  }

  /** A partner may report for a tenant only where that tenant is subscribed to one of its packages. */
  async function notSubscribed(principal: Principal, accepted: Accepted[]): Promise<Set<Accepted>> {
    const others = accepted.filter(({ tenant }) => tenant !== principal.org)
    if (others.length === 0) return new Set()
    const found = await db.transaction(
      (tx) =>
        rows<{ tenant: string }>(
          tx,
          'select distinct tenant from metering.subscriptions where partner = ? and tenant = any(?::text[])',
          [principal.org, [...new Set(others.map(({ tenant }) => tenant))]],
        ),
      { scope: scopeOf(principal) },
    )
    const allowed = new Set(found.map(({ tenant }) => tenant))
    return new Set(others.filter(({ tenant }) => !allowed.has(tenant)))
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

function rejection(index: number, id: string | undefined, fault: RecordFault, base: string): Rejected {
  return { index, ...(id === undefined ? {} : { id }), ...fault, pointer: `${base}${fault.pointer}` }
}

function byTenant(kept: readonly Accepted[]): [string, CheckedRecord[]][] {
  const groups = new Map<string, CheckedRecord[]>()
  for (const { tenant, record } of kept) {
    const group = groups.get(tenant)
    if (group) group.push(record)
    else groups.set(tenant, [record])
  }
  return [...groups]
}
