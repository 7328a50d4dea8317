import { decimal } from '../../../platform/decimal.ts'
import type { Fault } from '../../../platform/errors.ts'
import { parseUtcTime } from '../../../platform/utc-time.ts'
import { isCurrency } from './currency.ts'
import type { Charge, MeteredCharge, Plan } from './plan.ts'

/** Why a plan of the right shape still cannot be rated, each with the pointer of the fault. */
export function planFaults(plan: Plan): Fault[] {
  const ids = new Set<string>()
  const faults = plan.charges.flatMap((charge, index) => {
    const at = `/charges/${index}`
    const repeated = ids.has(charge.id)
    ids.add(charge.id)
    return [
      ...(repeated ? [fault(`${at}/id`, 'repeated', 'another charge has this id')] : []),
      ...chargeFaults(charge, at),
    ]
  })
  if (!isCurrency(plan.currency)) faults.push(fault('/currency', 'currency_unknown', 'is not an ISO 4217 code'))
  for (const [index, { percent, amount, applies_to }] of (plan.discounts ?? []).entries()) {
    const at = `/discounts/${index}`
    if ((percent === undefined) === (amount === undefined))
      faults.push(fault(at, 'one_of', 'a discount has either `percent` or `amount`'))
    faults.push(...scopeFaults(plan, applies_to, at))
  }
  for (const [index, { expires_at, applies_to }] of (plan.credits ?? []).entries()) {
    const at = `/credits/${index}`
    if (expires_at !== undefined && !parseUtcTime(expires_at))
      faults.push(fault(`${at}/expires_at`, 'time_invalid', 'is not an RFC 3339 time'))
    faults.push(...scopeFaults(plan, applies_to, at))
  }
  return faults
}

function chargeFaults(charge: Charge, at: string): Fault[] {
  if (charge.model === 'flat') return []
  const faults = 'tiers' in charge ? tierFaults(charge.tiers, `${at}/tiers`) : []
  const { convert, unique_by, aggregation, min_amount, max_amount } = charge
  if (convert && (convert.divide_by === undefined) === (convert.multiply_by === undefined))
    faults.push(fault(`${at}/convert`, 'one_of', 'a conversion has either `divide_by` or `multiply_by`'))
  if (unique_by !== undefined && aggregation !== 'unique')
    faults.push(fault(`${at}/unique_by`, 'needs_unique', 'only aggregation `unique` counts the values of a dimension'))
  if (min_amount !== undefined && max_amount !== undefined && decimal(min_amount) > decimal(max_amount))
    faults.push(fault(`${at}/min_amount`, 'above_maximum', 'is above `max_amount`'))
  faults.push(...eventFaults(charge, at))
  if (charge.model === 'per_unit' && charge.unit_amount === undefined && charge.multiplier === undefined)
    faults.push(fault(`${at}/unit_amount`, 'required', 'a price per unit needs `unit_amount` or a `multiplier`'))
  return faults
}

/** A price of single events cannot be made of a quantity that is no sum of them. */
function eventFaults(charge: MeteredCharge, at: string): Fault[] {
  if (charge.model !== 'percentage' || (charge.aggregation ?? 'sum') === 'sum') return []
  if (charge.fixed_amount === undefined && charge.free_events === undefined) return []
  return [fault(`${at}/aggregation`, 'needs_sum', 'fixed fees and free events need aggregation `sum`')]
}

function tierFaults(tiers: readonly { up_to: string | null }[], at: string): Fault[] {
  const faults: Fault[] = []
  let below = 0n
  for (const [index, { up_to }] of tiers.entries()) {
    const last = index === tiers.length - 1
    const pointer = `${at}/${index}/up_to`
    if (up_to === null && !last) faults.push(fault(pointer, 'open_end', 'only the last tier is open'))
    if (up_to !== null && last) faults.push(fault(pointer, 'no_open_end', 'the last tier must be open (null)'))
    if (up_to === null) continue
    const bound = decimal(up_to)
    if (bound <= below) faults.push(fault(pointer, 'not_rising', 'must be above the bound before it'))
    below = bound
  }
  return faults
}

function scopeFaults(plan: Plan, scope: readonly string[] | undefined, at: string): Fault[] {
  const known = new Set(
    plan.charges.flatMap((charge) => [charge.id, ...(charge.model === 'flat' ? [] : [charge.meter])]),
  )
  return (scope ?? []).flatMap((name, index) =>
    known.has(name)
      ? []
      : [fault(`${at}/applies_to/${index}`, 'unknown', 'is neither a charge nor a meter of this plan')],
  )
}

const fault = (pointer: string, code: string, detail: string): Fault => ({ pointer, code, detail })
