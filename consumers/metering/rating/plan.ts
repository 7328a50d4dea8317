import { type Static, Type } from '@sinclair/typebox'
import { decimal } from '../../../platform/decimal.ts'
import type { Fault } from '../../../platform/errors.ts'
import { closed } from '../../../schemas/envelope.ts'

const Amount = Type.String({ pattern: '^\\d{1,18}(\\.\\d{1,12})?$' })
const Tax = closed({
  name: Type.String({ minLength: 1, maxLength: 64 }),
  percent: Type.String({ pattern: '^\\d{1,2}(\\.\\d{1,6})?$|^100$' }),
})
const Tier = closed({
  up_to: Type.Union([Amount, Type.Null()]),
  unit_amount: Type.Optional(Amount),
  flat_amount: Type.Optional(Amount),
})
const common = {
  id: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }),
  description: Type.Optional(Type.String({ maxLength: 200 })),
}
const metered = { ...common, meter: Type.String({ minLength: 1, maxLength: 128 }) }
const aggregation = { aggregation: Type.Optional(Type.Literal('sum')) }

/** A charge: how a quantity becomes an amount. `up_to` bounds are inclusive; the last tier is open. */
export const Charge = Type.Union([
  closed({ ...common, model: Type.Literal('flat'), flat_amount: Amount }),
  closed({ ...metered, ...aggregation, model: Type.Literal('per_unit'), unit_amount: Amount }),
  closed({
    ...metered,
    ...aggregation,
    model: Type.Literal('graduated'),
    tiers: Type.Array(Tier, { minItems: 1, maxItems: 50 }),
  }),
])

/** A price plan as the partner writes it. */
export const Plan = closed({
  name: Type.String({ minLength: 1, maxLength: 128 }),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  effective_from: Type.Optional(Type.String()),
  charges: Type.Array(Charge, { minItems: 1, maxItems: 100 }),
  taxes: Type.Optional(Type.Array(Tax, { maxItems: 10 })),
})

export type Tier = Static<typeof Tier>
export type Charge = Static<typeof Charge>
export type Plan = Static<typeof Plan>

/** Why a plan of the right shape still cannot be rated: repeated ids, tiers that do not rise or have no open end. */
export function planFaults(plan: Plan): Fault[] {
  const faults: Fault[] = []
  const ids = new Set<string>()
  for (const [index, charge] of plan.charges.entries()) {
    const at = `/charges/${index}`
    if (ids.has(charge.id)) faults.push({ pointer: `${at}/id`, code: 'repeated', detail: 'another charge has this id' })
    ids.add(charge.id)
    if (charge.model === 'graduated') faults.push(...tierFaults(charge.tiers, `${at}/tiers`))
  }
  return faults
}

function tierFaults(tiers: readonly Tier[], at: string): Fault[] {
  const faults: Fault[] = []
  let below = 0n
  for (const [index, { up_to }] of tiers.entries()) {
    const last = index === tiers.length - 1
    const pointer = `${at}/${index}/up_to`
    if (up_to === null && !last) faults.push({ pointer, code: 'open_end', detail: 'only the last tier is open' })
    if (up_to !== null && last)
      faults.push({ pointer, code: 'no_open_end', detail: 'the last tier must be open (null)' })
    if (up_to === null) continue
    const bound = decimal(up_to)
    if (bound <= below) faults.push({ pointer, code: 'not_rising', detail: 'must be above the bound before it' })
    below = bound
  }
  return faults
}
