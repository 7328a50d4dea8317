import { groupBy } from './group-by.ts'
import { needsEvents } from './measure.ts'
import type { MeteredCharge, Plan } from './plan.ts'
import type { Dimensions } from './usage.ts'

/** What has to be kept of usage, by meter, because a price names it; nothing else is. */
export type KeptDimensions = {
  of(meter: string, dimensions: Dimensions): Dimensions
  /** Dimensions whose values are counted by `unique`; '' stands for the quantity itself. */
  distinctOf(meter: string): readonly string[]
  eventsOf(meter: string): boolean
}

/** What these plans name: dimensions they group or filter by, values they count, events they price one by one. */
export function keptBy(plans: readonly Plan[]): KeptDimensions {
  const charges = groupBy(
    plans.flatMap((plan) => plan.charges).filter((charge): charge is MeteredCharge => charge.model !== 'flat'),
    (charge) => charge.meter,
  )
  const of = (meter: string) => charges.get(meter) ?? []
  const named = new Map<string, ReadonlySet<string>>()
  for (const [meter, own] of charges)
    named.set(meter, new Set(own.flatMap((one) => [...(one.group_by ?? []), ...Object.keys(one.filter ?? {})])))
  return {
    of: (meter, dimensions) => {
      const names = named.get(meter)
      if (!names || names.size === 0) return {}
      const own = Object.entries(dimensions).filter(([name]) => names.has(name))
      return Object.fromEntries(own.sort(([a], [b]) => (a < b ? -1 : 1)))
    },
    distinctOf: (meter) => [
      ...new Set(of(meter).flatMap((one) => (one.aggregation === 'unique' ? [one.unique_by ?? ''] : []))),
    ],
    eventsOf: (meter) => of(meter).some(needsEvents),
  }
}
