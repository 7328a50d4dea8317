import { type Decimal, decimal, SCALE } from '../../../platform/decimal.ts'
import { needsEvents } from './measure.ts'
import type { MeteredCharge } from './plan.ts'
import type { Exact } from './price.ts'
import type { UsageEvent } from './usage.ts'

type Percentage = Extract<MeteredCharge, { model: 'percentage' }>

/**
 * A rate on the sum, and a fixed amount for each event. Free events and a free amount are used up in (time, id) order;
 * whichever runs out first ends the free zone, and the event that straddles its end pays the rate on the part above
 * it. Without such allowances no single event matters and the sums are enough.
 */
export function percentageOfEvents(
  charge: Percentage,
  quantity: Decimal,
  records: number,
  events: readonly UsageEvent[],
): Exact {
  const rate = decimal(charge.rate_percent) / 100n
  const fixed = decimal(charge.fixed_amount ?? '0')
  if (!needsEvents(charge)) {
    const paid = quantity - decimal(charge.free_amount ?? '0')
    return (paid > 0n ? paid : 0n) * rate + BigInt(records) * fixed * SCALE
  }
  const freeEvents = charge.free_events || null
  const freeAmount = charge.free_amount === undefined ? null : decimal(charge.free_amount)
  let used = 0
  let usedAmount = 0n
  let exact = 0n
  for (const event of events) {
    const amount = decimal(event.quantity)
    const open = (freeEvents === null || used < freeEvents) && (freeAmount === null || usedAmount < freeAmount)
    const left = freeAmount === null ? amount : freeAmount - usedAmount
    const free = !open ? 0n : amount < left ? amount : left
    used += 1
    usedAmount += amount
    if (free < amount || (!open && amount === 0n)) exact += (amount - free) * rate + fixed * SCALE
  }
  return exact
}
