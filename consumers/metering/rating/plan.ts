import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { closed } from '../../../schemas/envelope.ts'

const Amount = Type.String({ pattern: '^\\d{1,18}(\\.\\d{1,12})?$' })
/** Above zero: what something is divided by. */
const Positive = Type.String({ pattern: '^(?=.*[1-9])\\d{1,18}(\\.\\d{1,12})?$' })
/** Ten decimals: a hundredth of it is still exact at twelve. */
const Percent = Type.String({ pattern: '^\\d{1,6}(\\.\\d{1,10})?$' })
const TaxPercent = Type.String({ pattern: '^\\d{1,2}(\\.\\d{1,6})?$|^100(\\.0{1,6})?$' })
const Name = Type.String({ pattern: '^[A-Za-z][\\w.-]{0,63}$' })
const Scope = Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { minItems: 1, maxItems: 100 })

const Tax = closed({ name: Type.String({ minLength: 1, maxLength: 64 }), percent: TaxPercent })
const Taxes = Type.Array(Tax, { maxItems: 10 })
const UnitTier = closed({
  up_to: Type.Union([Amount, Type.Null()]),
  unit_amount: Type.Optional(Amount),
  flat_amount: Type.Optional(Amount),
  package_size: Type.Optional(Positive),
})
const PercentTier = closed({
  up_to: Type.Union([Amount, Type.Null()]),
  rate_percent: Type.Optional(Percent),
  flat_amount: Type.Optional(Amount),
})
const Rounding = Type.Union(
  ['up', 'down', 'half_up', 'none', 'ceil', 'ceiling', 'floor', 'nearest'].map((one) => Type.Literal(one)),
)

const priced = {
  id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$' }),
  description: Type.Optional(Type.String({ maxLength: 200 })),
  taxes: Type.Optional(Taxes),
}
const AGGREGATIONS = ['sum', 'count', 'unique', 'max', 'latest', 'average', 'weighted_sum'] as const
const metered = {
  ...priced,
  meter: Type.String({ minLength: 1, maxLength: 128 }),
  aggregation: Type.Optional(Type.Union(AGGREGATIONS.map((one) => Type.Literal(one)))),
  /** The dimension whose values `unique` counts; without it the quantities themselves are the values. */
  unique_by: Type.Optional(Name),
  filter: Type.Optional(
    Type.Record(Name, Type.Union([Type.String({ maxLength: 256 }), Type.Array(Type.String({ maxLength: 256 }))]), {
      maxProperties: 16,
    }),
  ),
  group_by: Type.Optional(Type.Array(Name, { minItems: 1, maxItems: 8, uniqueItems: true })),
  convert: Type.Optional(
    closed({
      divide_by: Type.Optional(Positive),
      multiply_by: Type.Optional(Positive),
      rounding: Type.Optional(Rounding),
      /** Decimals that the converted quantity is rounded to; 0 unless said. */
      places: Type.Optional(Type.Integer({ minimum: 0, maximum: 12 })),
    }),
  ),
  multiplier: Type.Optional(Positive),
  min_amount: Type.Optional(Amount),
  max_amount: Type.Optional(Amount),
}
const BlockRounding = Type.Union([Type.Literal('up'), Type.Literal('down')])

const Flat = closed({
  ...priced,
  model: Type.Literal('flat'),
  flat_amount: Amount,
  /** By the day, where the subscription or the price covers a part of the period only. */
  prorate: Type.Optional(Type.Boolean()),
})
const PerUnit = closed({
  ...metered,
  model: Type.Literal('per_unit'),
  /** May be left out beside a `multiplier`: the quantity then is an amount of money already. */
  unit_amount: Type.Optional(Amount),
  free_units: Type.Optional(Amount),
})
const Package = closed({
  ...metered,
  model: Type.Literal('package'),
  unit_amount: Amount,
  package_size: Positive,
  free_units: Type.Optional(Amount),
  package_rounding: Type.Optional(BlockRounding),
})
const tiered = (tier: TSchema) => Type.Array(tier, { minItems: 1, maxItems: 50 })
const Graduated = closed({
  ...metered,
  model: Type.Literal('graduated'),
  tiers: Type.Unsafe<UnitTier[]>(tiered(UnitTier)),
  package_size: Type.Optional(Positive),
  package_rounding: Type.Optional(BlockRounding),
})
const Volume = closed({ ...Graduated.properties, model: Type.Literal('volume') })
const Percentage = closed({
  ...metered,
  model: Type.Literal('percentage'),
  rate_percent: Percent,
  fixed_amount: Type.Optional(Amount),
  free_events: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  free_amount: Type.Optional(Amount),
})
const GraduatedPercentage = closed({
  ...metered,
  model: Type.Literal('graduated_percentage'),
  tiers: Type.Unsafe<PercentTier[]>(tiered(PercentTier)),
})

const MODELS = [Flat, PerUnit, Package, Graduated, Volume, Percentage, GraduatedPercentage]

/**
 * How a quantity becomes an amount. `up_to` bounds are inclusive and the last tier is open. The discriminator lets the
 * validator point at the member that is wrong, instead of at the whole charge.
 */
export const Charge = Type.Unsafe<Static<(typeof MODELS)[number]>>({
  type: 'object',
  discriminator: { propertyName: 'model' },
  oneOf: MODELS,
})

const Credit = closed({
  amount: Amount,
  /** Charge ids or meters that it pays for; everything unless said. */
  applies_to: Type.Optional(Scope),
  expires_at: Type.Optional(Type.String()),
  /** Lower ones are used first. */
  priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
})
const Discount = closed({
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  percent: Type.Optional(TaxPercent),
  amount: Type.Optional(Amount),
  applies_to: Type.Optional(Scope),
})
const Threshold = Type.Union([Positive, closed({ amount: Positive, recurring: Type.Optional(Type.Boolean()) })])

export const RoundingLevel = Type.Union([Type.Literal('line'), Type.Literal('invoice')])

/** A price plan as the partner writes it. */
export const Plan = closed({
  name: Type.String({ minLength: 1, maxLength: 128 }),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  effective_from: Type.Optional(Type.String()),
  charges: Type.Array(Charge, { minItems: 1, maxItems: 100 }),
  minimum_commitment: Type.Optional(Amount),
  discounts: Type.Optional(Type.Array(Discount, { maxItems: 20 })),
  credits: Type.Optional(Type.Array(Credit, { maxItems: 20 })),
  taxes: Type.Optional(Taxes),
  thresholds: Type.Optional(Type.Array(Threshold, { maxItems: 20 })),
  /** Where amounts are rounded to the currency: each line (unless said), or once for the plan's part of an invoice. */
  rounding: Type.Optional(RoundingLevel),
  /** `manual`: an invoice with this plan waits for finance before it is issued. */
  approval: Type.Optional(Type.Union([Type.Literal('automatic'), Type.Literal('manual')])),
})

export type UnitTier = Static<typeof UnitTier>
export type PercentTier = Static<typeof PercentTier>
export type Tier = UnitTier
export type Tax = Static<typeof Tax>
export type Credit = Static<typeof Credit>
export type Discount = Static<typeof Discount>
export type Charge = Static<typeof Charge>
export type MeteredCharge = Exclude<Charge, { model: 'flat' }>
export type Plan = Static<typeof Plan>
export type RoundingLevel = Static<typeof RoundingLevel>
