import { Type } from '@sinclair/typebox'
import { closed, DecimalText } from './envelope.ts'

const Text = Type.String()
const Taxes = Type.Array(closed({ name: Text, percent: DecimalText }))
const Scope = Type.Array(Text)

/**
 * A charge of any model, as told: which members belong to which model is metering's affair, checked when the plan was
 * made. Texts have no pattern, so that a plan made under older rules can still be told.
 */
const Charge = closed({
  id: Text,
  model: Text,
  description: Type.Optional(Text),
  meter: Type.Optional(Text),
  aggregation: Type.Optional(Text),
  unique_by: Type.Optional(Text),
  filter: Type.Optional(Type.Record(Text, Type.Union([Text, Type.Array(Text)]))),
  group_by: Type.Optional(Type.Array(Text)),
  convert: Type.Optional(
    closed({
      divide_by: Type.Optional(DecimalText),
      multiply_by: Type.Optional(DecimalText),
      rounding: Type.Optional(Text),
      places: Type.Optional(Type.Integer()),
    }),
  ),
  multiplier: Type.Optional(DecimalText),
  flat_amount: Type.Optional(DecimalText),
  unit_amount: Type.Optional(DecimalText),
  free_units: Type.Optional(DecimalText),
  package_size: Type.Optional(DecimalText),
  package_rounding: Type.Optional(Text),
  tiers: Type.Optional(
    Type.Array(
      closed({
        up_to: Type.Union([DecimalText, Type.Null()]),
        unit_amount: Type.Optional(DecimalText),
        flat_amount: Type.Optional(DecimalText),
        package_size: Type.Optional(DecimalText),
        rate_percent: Type.Optional(DecimalText),
      }),
    ),
  ),
  rate_percent: Type.Optional(DecimalText),
  fixed_amount: Type.Optional(DecimalText),
  free_events: Type.Optional(Type.Integer()),
  free_amount: Type.Optional(DecimalText),
  min_amount: Type.Optional(DecimalText),
  max_amount: Type.Optional(DecimalText),
  prorate: Type.Optional(Type.Boolean()),
  taxes: Type.Optional(Taxes),
})

/** What a plan asks for, as the partner wrote it; money and quantities are decimal text in the plan's currency. */
export const PlanTerms = closed({
  charges: Type.Array(Charge),
  minimum_commitment: Type.Optional(DecimalText),
  discounts: Type.Optional(
    Type.Array(
      closed({
        name: Type.Optional(Text),
        percent: Type.Optional(DecimalText),
        amount: Type.Optional(DecimalText),
        applies_to: Type.Optional(Scope),
      }),
    ),
  ),
  credits: Type.Optional(
    Type.Array(
      closed({
        amount: DecimalText,
        applies_to: Type.Optional(Scope),
        expires_at: Type.Optional(Text),
        priority: Type.Optional(Type.Integer()),
      }),
    ),
  ),
  taxes: Type.Optional(Taxes),
  rounding: Type.Optional(Text),
  approval: Type.Optional(Text),
})
