import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { formatDecimal, tryDecimal } from '../../platform/decimal.ts'
import type { Fault } from '../../platform/errors.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'
import { closed, OrgId, Period } from '../../schemas/envelope.ts'
import { Plan, RoundingLevel } from './rating/plan.ts'
import { planFaults } from './rating/plan-faults.ts'
import type { ArrivedRecord } from './rating/rehearse.ts'
import type { PlanVersion, Window } from './rating/usage.ts'

const Time = Type.String({ maxLength: 40 })
const MAX_RECORDS = 10_000
const Record_ = closed({
  id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  meter: Type.String({ minLength: 1, maxLength: 128 }),
  /** Below zero where the level of a time-weighted meter falls. */
  quantity: Type.Union([Type.String({ maxLength: 80 }), Type.Integer()]),
  time: Time,
  received_at: Type.Optional(Time),
  package: Type.Optional(Type.String({ maxLength: 257 })),
  dimensions: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }))),
})
/** `partner`: for finance, whose subscriptions the plan is tried on; those of all partners unless said. */
const RealUsage = closed({ tenant: Type.Optional(OrgId), partner: Type.Optional(OrgId), period: Period })
/** A choice that still points at the member that is wrong, which a union does not. */
const listOr = <L, O>(list: TSchema, other: TSchema) =>
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
  Type.Unsafe<L | O>({ if: { type: 'array' }, then: list, else: other })
const Span = closed({ from: Time, to: Time })

/** What `/billing/preview` takes. `plan` may be a list of versions, each from its `effective_from`. */
export const PreviewBody = closed({
  plan: listOr<Plan[], Plan>(Type.Array(Plan, { minItems: 1, maxItems: 20 }), Plan),
  usage: listOr<Static<typeof Record_>[], Static<typeof RealUsage>>(
    Type.Array(Record_, { maxItems: MAX_RECORDS }),
    RealUsage,
  ),
  period: Type.Optional(Span),
  runs: Type.Optional(Type.Array(Time, { minItems: 1, maxItems: 366 })),
  policy: Type.Optional(closed({ rounding: Type.Optional(RoundingLevel) })),
  /** When the subscription begins and ends, for what is due by the day. */
  subscription: Type.Optional(closed({ starts_at: Type.Optional(Time), ends_at: Type.Optional(Time) })),
})
export type PreviewBody = Static<typeof PreviewBody>
export type ReadPreview = {
  versions: PlanVersion[]
  records: ArrivedRecord[]
  period: Window | null
  runs: Date[] | null
  starts_at: Date | null
  ends_at: Date | null
}

/** The parts of a rehearsal in the shapes that rating takes, and all that is wrong with them. */
export function readPreview(body: PreviewBody): { read: ReadPreview; faults: Fault[] } {
  const faults: Fault[] = []
  const time = (text: string, pointer: string): Date => {
    const at = parseUtcTime(text)
    if (!at) faults.push({ pointer, code: 'time_invalid', detail: 'is not an RFC 3339 time' })
    return at ?? new Date(0)
  }
  const optional = (text: string | undefined, pointer: string) => (text === undefined ? null : time(text, pointer))
  const versions = versionsOf(body, time, faults)
  const records = Array.isArray(body.usage)
    ? body.usage.map((record, index) => recordOf(record, index, levelMeters(versions), time, faults))
    : []
  const period = body.period
    ? { from: time(body.period.from, '/period/from'), to: time(body.period.to, '/period/to') }
    : null
  if (period && period.to <= period.from)
    faults.push({ pointer: '/period/to', code: 'not_after', detail: 'is not after `from`' })
  const runs = body.runs?.map((text, index) => time(text, `/runs/${index}`)) ?? null
  const starts_at = optional(body.subscription?.starts_at, '/subscription/starts_at')
  const ends_at = optional(body.subscription?.ends_at, '/subscription/ends_at')
  return { read: { versions, records, period, runs, starts_at, ends_at }, faults }
}

function versionsOf(
  { plan }: PreviewBody,
  time: (text: string, pointer: string) => Date,
  faults: Fault[],
): PlanVersion[] {
  const listed = Array.isArray(plan)
  const plans = listed ? plan : [plan]
  const versions = plans.map((one, index): PlanVersion => {
    const at = listed ? `/plan/${index}` : '/plan'
    faults.push(...planFaults(one).map((fault) => ({ ...fault, pointer: `${at}${fault.pointer}` })))
    if (one.currency !== plans[0]?.currency)
      faults.push({ pointer: `${at}/currency`, code: 'currency_mismatch', detail: 'versions are in one currency' })
    const from = one.effective_from === undefined ? new Date(0) : time(one.effective_from, `${at}/effective_from`)
    return { id: one.effective_from ?? String(index), effective_from: from, plan: one }
  })
  versions.sort((a, b) => a.effective_from.getTime() - b.effective_from.getTime())
  for (const [index, { effective_from }] of versions.entries())
    if (index > 0 && effective_from.getTime() === versions[index - 1]?.effective_from.getTime())
      faults.push({ pointer: '/plan', code: 'same_time', detail: 'two versions take effect at the same time' })
  return versions
}

const levelMeters = (versions: readonly PlanVersion[]): ReadonlySet<string> =>
  new Set(
    versions
      .flatMap(({ plan }) => plan.charges)
      .flatMap((charge) => (charge.model !== 'flat' && charge.aggregation === 'weighted_sum' ? [charge.meter] : [])),
  )

function recordOf(
  record: Static<typeof Record_>,
  index: number,
  levels: ReadonlySet<string>,
  time: (text: string, pointer: string) => Date,
  faults: Fault[],
): ArrivedRecord {
  const at = `/usage/${index}`
  const used = time(record.time, `${at}/time`).toISOString()
  const exact =
    Number.isSafeInteger(record.quantity) || typeof record.quantity === 'string'
      ? tryDecimal(String(record.quantity))
      : null
  if (exact === null)
    faults.push({ pointer: `${at}/quantity`, code: 'quantity_invalid', detail: 'is not a decimal string' })
  else if (exact < 0n && !levels.has(record.meter))
    faults.push({ pointer: `${at}/quantity`, code: 'quantity_negative', detail: 'only time-weighted levels can fall' })
  return {
    id: record.id ?? `record ${String(index).padStart(6, '0')}`,
    meter: record.meter,
    quantity: formatDecimal(exact ?? 0n),
    time: used,
    received_at: record.received_at === undefined ? used : time(record.received_at, `${at}/received_at`).toISOString(),
    ...(record.dimensions === undefined ? {} : { dimensions: record.dimensions }),
  }
}
