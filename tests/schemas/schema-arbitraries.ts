import fc from 'fast-check'
import { canonical, type JsonSchema } from '../../schemas/compatibility.ts'

type Members = Record<string, JsonSchema>
const NAMES = ['a', 'b', 'c', 'd'] as const

const scalar: fc.Arbitrary<JsonSchema> = fc.oneof(
  fc.constant({ type: 'boolean' }),
  fc.record({ type: fc.constant('string'), pattern: fc.constantFrom('^[a-z]{1,4}$', '^\\d{1,3}$') }),
  fc.record({ type: fc.constant('string'), maxLength: fc.integer({ min: 1, max: 5 }) }, { requiredKeys: ['type'] }),
  fc.record({ type: fc.constant('integer'), minimum: fc.integer({ min: -3, max: 3 }) }, { requiredKeys: ['type'] }),
  fc.constantFrom<JsonSchema>({ const: 'x' }, { enum: ['x', 'y', 3] }, { type: ['string', 'null'] }),
)

/** Closed schemas of every construct the rules speak of; some of them unfit to evolve. */
export const schemas: fc.Arbitrary<JsonSchema> = fc.letrec<{ any: JsonSchema; object: JsonSchema }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    scalar,
    tie('object'),
    fc.record({ type: fc.constant('array'), items: tie('any'), maxItems: fc.constant(3) }),
    fc.record({
      type: fc.constant('array'),
      items: tie('any'),
      maxItems: fc.constant(2),
      uniqueItems: fc.constant(true),
    }),
    fc.tuple(tie('any'), scalar).map(([first, second]) => ({
      type: 'array',
      prefixItems: [first, second],
      items: false,
      minItems: 2,
      maxItems: 2,
    })),
    fc.tuple(scalar, tie('object')).map((anyOf) => ({ anyOf: [...anyOf, { type: 'null' }] })),
    fc.tuple(tie('object'), tie('object')).map((anyOf) => ({ anyOf })),
    tie('any').map((value) => ({ type: 'object', patternProperties: { '^(.*)$': value } })),
    tie('any').map((value) => ({ type: 'object', additionalProperties: value })),
  ),
  object: fc
    .tuple(
      fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 3 }),
      fc.array(tie('any'), { minLength: 3, maxLength: 3 }),
      fc.nat(7),
      fc.boolean(),
    )
    .map(([names, values, required, counted]) =>
      objectOf(
        Object.fromEntries(names.map((name, index) => [name, values[index] as JsonSchema])),
        names.filter((_, index) => (required >> index) & 1),
        counted && names.length === 3 ? { minProperties: 0, maxProperties: 4 } : {},
      ),
    ),
})).object

const objectOf = (properties: Members, required: readonly string[], more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
  additionalProperties: false,
  ...more,
})

/** The schema after the one kind of change that is allowed: optional members of its objects come or go. */
export const evolved = (schema: JsonSchema): fc.Arbitrary<JsonSchema> => change(schema, false)
/** The schema after any change: bounds, names, types and demands included. */
export const mutated = (schema: JsonSchema): fc.Arbitrary<JsonSchema> => change(schema, true)

function change(schema: JsonSchema, anyhow: boolean): fc.Arbitrary<JsonSchema> {
  const same = fc.constant(schema)
  if (schema.properties === undefined)
    return anyhow ? fc.oneof({ weight: 4, arbitrary: same }, scalar, loosened(schema)) : same
  const required = (schema.required ?? []) as string[]
  const members = Object.entries(schema.properties as Members)
  const kept = fc.tuple(
    ...members.map(([name, value]) =>
      fc.tuple(
        fc.constant(name),
        change(value, anyhow),
        required.includes(name) && !anyhow ? fc.constant(true) : fc.boolean(),
      ),
    ),
  )
  const added = fc.option(fc.tuple(fc.constantFrom('n', 'm'), scalar), { nil: null })
  const demanded = anyhow ? fc.subarray([...NAMES, 'n']) : fc.constant(required)
  return fc
    .tuple(kept, added, fc.oneof({ weight: 3, arbitrary: fc.constant(required) }, demanded))
    .map(([list, extra, names]) => {
      const properties = Object.fromEntries(list.filter(([, , stays]) => stays).map(([name, value]) => [name, value]))
      if (extra) properties[extra[0]] = extra[1]
      const { properties: _p, required: _r, ...rest } = schema
      return {
        ...objectOf(
          properties,
          names.filter((name) => name in properties),
        ),
        ...rest,
      }
    })
}

const loosened = (schema: JsonSchema): fc.Arbitrary<JsonSchema> =>
  fc.constantFrom<JsonSchema>(
    ...Object.keys(schema)
      .filter((keyword) => !['type', 'anyOf', 'items'].includes(keyword))
      .map((keyword) => Object.fromEntries(Object.entries(schema).filter(([name]) => name !== keyword))),
    { anyOf: [{ type: 'null' }, { type: 'string' }] },
  )

/** Data that the schema takes, nothing else; for the constructs that `schemas` makes. */
export function dataOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const { type, properties, patternProperties, additionalProperties, items, prefixItems } = schema
  if (Array.isArray(schema.anyOf)) return fc.oneof(...(schema.anyOf as JsonSchema[]).map(dataOf))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]))
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => dataOf({ ...schema, type: one })))
  if (type === 'null') return fc.constant(null)
  if (type === 'boolean') return fc.boolean()
  if (type === 'integer') return fc.integer({ min: (schema.minimum as number | undefined) ?? -9, max: 9 })
  if (type === 'string' && schema.pattern) return fc.stringMatching(new RegExp(schema.pattern as string))
  if (type === 'string') return fc.string({ maxLength: (schema.maxLength as number | undefined) ?? 6 })
  if (type === 'array' && Array.isArray(prefixItems)) return fc.tuple(...(prefixItems as JsonSchema[]).map(dataOf))
  if (type === 'array') {
    const limits = { maxLength: (schema.maxItems as number | undefined) ?? 3 }
    const item = dataOf(items as JsonSchema)
    return schema.uniqueItems ? fc.uniqueArray(item, { ...limits, selector: canonical }) : fc.array(item, limits)
  }
  const values = Object.values((patternProperties ?? {}) as Members)[0] ?? additionalProperties
  if (typeof values === 'object')
    return fc.dictionary(fc.constantFrom('p', 'q', 'r'), dataOf(values as JsonSchema), { noNullPrototype: true })
  const of = Object.fromEntries(Object.entries((properties ?? {}) as Members).map(([name, one]) => [name, dataOf(one)]))
  return fc.record(of, {
    requiredKeys: ((schema.required ?? []) as string[]).filter((name) => name in of),
    noNullPrototype: true,
  })
}
