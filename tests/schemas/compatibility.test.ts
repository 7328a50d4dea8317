import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'chai'
import fc from 'fast-check'
import { compatibilityFaults, type JsonSchema } from '../../schemas/compatibility.ts'
import { dropUnknown } from '../../schemas/drop-unknown.ts'
import { holds } from '../support/property.ts'
import { dataOf, evolved, mutated, schemas } from './schema-arbitraries.ts'

const object = (properties: object, required: string[] = [], more: object = {}): JsonSchema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  ...more,
})
const text = { type: 'string' }
const faults = (one: JsonSchema, other: JsonSchema) =>
  compatibilityFaults(one, other).map(({ rule, pointer, field }) => `${rule} ${pointer} ${field}`)

describe('schemas/compatibility', function () {
  // The properties take seconds; on a machine that does other work as well, many.
  this.timeout(60_000)
  const accepted: [string, JsonSchema, JsonSchema][] = [
    ['an optional member more', object({ a: text }, ['a']), object({ a: text, b: text }, ['a'])],
    [
      'one more deep inside',
      object({ l: { type: 'array', items: object({}) } }),
      object({ l: { type: 'array', items: object({ b: text }) } }),
    ],
    [
      'one more in the object of a union',
      { anyOf: [object({ a: text }), { type: 'null' }] },
      { anyOf: [{ type: 'null' }, object({})] },
    ],
    [
      'other words and another order',
      { ...object({ a: text, b: text }, ['a', 'b']), title: 'x' },
      object({ b: { ...text, description: 'y' }, a: text }, ['b', 'a']),
    ],
    ['an enum in another order', { enum: ['a', 'b'] }, { enum: ['b', 'a'] }],
    [
      'a map of the same values',
      { type: 'object', patternProperties: { '^x': text } },
      { type: 'object', patternProperties: { '^x': text } },
    ],
  ]
  for (const [what, one, other] of accepted)
    it(`accepts ${what}, whichever is older`, () => {
      expect(faults(one, other)).to.deep.equal([])
      expect(faults(other, one)).to.deep.equal([])
    })

  const base = object({ a: text, n: { type: 'integer', minimum: 1 } }, ['a'])
  const tuple = (...prefixItems: object[]) => ({ type: 'array', prefixItems, items: false })
  const refused: [string, JsonSchema, JsonSchema, string][] = [
    [
      'a required member more',
      base,
      object({ a: text, n: { type: 'integer', minimum: 1 }, b: text }, ['a', 'b']),
      'required_changed /properties/b b',
    ],
    ['a member that becomes required', base, { ...base, required: ['a', 'n'] }, 'required_changed /properties/n n'],
    [
      'a demand for a member that is not declared',
      base,
      { ...base, required: ['a', 'z'] },
      'required_changed /properties/z z',
    ],
    [
      'another type',
      base,
      object({ a: { type: 'integer' }, n: { type: 'integer', minimum: 1 } }, ['a']),
      'type_changed /properties/a/type a',
    ],
    [
      'a narrower bound',
      base,
      object({ a: text, n: { type: 'integer', minimum: 2 } }, ['a']),
      'constraint_changed /properties/n/minimum n',
    ],
    [
      'a bound dropped',
      base,
      object({ a: text, n: { type: 'integer' } }, ['a']),
      'constraint_changed /properties/n/minimum n',
    ],
    [
      'a new pattern',
      object({ a: text }),
      object({ a: { ...text, pattern: '^x' } }),
      'constraint_changed /properties/a/pattern a',
    ],
    [
      'a wider enum',
      object({ a: { enum: ['x'] } }),
      object({ a: { enum: ['x', 'y'] } }),
      'choices_changed /properties/a/enum a',
    ],
    [
      'a new choice',
      { anyOf: [{ const: 'x' }] },
      { anyOf: [{ const: 'x' }, { const: 'y' }] },
      'choices_changed /anyOf ',
    ],
    [
      'a change in the object of a union',
      { anyOf: [object({ a: text }), { type: 'null' }] },
      { anyOf: [object({ a: { const: 1 } }), { type: 'null' }] },
      'type_changed /anyOf/0/properties/a/type a',
    ],
    [
      'another element',
      object({ l: { type: 'array', items: object({ a: text }) } }),
      object({ l: { type: 'array', items: object({ a: { type: 'null' } }) } }),
      'type_changed /properties/l/items/properties/a/type l[].a',
    ],
    ['a tuple of another length', tuple(text), tuple(text, text), 'tuple_changed /prefixItems '],
    [
      'a member of what is compared whole',
      { type: 'array', uniqueItems: true, items: object({ a: text }) },
      { type: 'array', uniqueItems: true, items: object({}) },
      'member_counted /items/properties/a [].a',
    ],
    [
      'a member of what is counted',
      object({ a: text }, [], { minProperties: 1 }),
      object({ a: text, b: text }, [], { minProperties: 1 }),
      'member_counted /properties/b b',
    ],
    [
      'other names of a map',
      { type: 'object', patternProperties: { '^x': text } },
      { type: 'object', patternProperties: { '^y': text } },
      'constraint_changed /patternProperties ',
    ],
    ['an open object', { ...base, additionalProperties: true }, base, 'open_object  '],
    [
      'an open object in a new member',
      object({}),
      object({ 'a/b': { type: 'object' } }),
      'open_object /properties/a~1b a/b',
    ],
    [
      'a union that data does not decide',
      { anyOf: [object({ a: text }), object({ b: text })] },
      { anyOf: [object({ a: text }), object({ b: text })] },
      'ambiguous_union /anyOf ',
    ],
    [
      'a keyword it has no rule for',
      object({ a: { $ref: '#' } }),
      object({ a: { $ref: '#' } }),
      'keyword_not_understood /properties/a/$ref a',
    ],
    ['true as a schema', object({ a: true }), object({ a: false }), 'keyword_not_understood /properties/a a'],
  ]
  for (const [what, one, other, fault] of refused)
    it(`refuses ${what}, whichever is older`, () => {
      expect(faults(one, other)).to.deep.equal([fault])
      expect(faults(other, one)).to.deep.equal([fault])
    })

  // Checking every generated schema against the metaschema takes most of the time of a run.
  const ajv = new Ajv2020({ strict: false, meta: false, validateSchema: false })
  /** Whether a reader of `schema` can read every one of `data`. */
  const readsAll = (schema: JsonSchema, data: readonly unknown[]) => {
    if (data.length === 0) return true
    const valid = ajv.compile(schema)
    return data.every((one) => valid(dropUnknown(schema, one)))
  }
  const withData = (other: (schema: JsonSchema) => fc.Arbitrary<JsonSchema>) =>
    schemas.chain((one) =>
      other(one).chain((two) =>
        fc.tuple(
          fc.constant(one),
          fc.constant(two),
          fc.array(dataOf(one), { maxLength: 4 }),
          fc.array(dataOf(two), { maxLength: 4 }),
        ),
      ),
    )

  it('makes data for the schemas that they take themselves', () =>
    holds(
      fc.property(
        schemas.chain((one) => fc.tuple(fc.constant(one), dataOf(one))),
        ([one, data]) => ajv.validate(one, data),
      ),
    ))

  it('says nothing against a pair only if each reads all data of the other', async () => {
    const judged = { accepted: 0, refused: 0 }
    const property = fc.property(withData(mutated), ([one, two, ofOne, ofTwo]) => {
      const isAccepted = compatibilityFaults(one, two).length === 0
      judged[isAccepted ? 'accepted' : 'refused'] += 1
      return !isAccepted || (readsAll(two, ofOne) && readsAll(one, ofTwo))
    })
    await holds(property, 300)
    expect(judged.accepted, 'accepted').to.be.greaterThan(20)
    expect(judged.refused, 'refused').to.be.greaterThan(20)
  })

  it('accepts optional members that come and go, unless a schema is unfit to evolve', async () => {
    let changed = 0
    const property = fc.property(withData(evolved), ([one, two, ofOne, ofTwo]) => {
      const unfit = [...compatibilityFaults(one, one), ...compatibilityFaults(two, two)]
      const found = compatibilityFaults(one, two).filter(({ rule }) => rule !== 'member_counted')
      if (unfit.length > 0) return compatibilityFaults(one, two).length > 0
      if (JSON.stringify(one) !== JSON.stringify(two)) changed += 1
      if (found.length > 0) return false
      if (compatibilityFaults(one, two).length > 0) return true
      return readsAll(two, ofOne) && readsAll(one, ofTwo)
    })
    await holds(property, 300)
    expect(changed).to.be.greaterThan(50)
  })

  it('is the same whichever of the two comes first', () =>
    holds(
      fc.property(
        schemas.chain((one) => fc.tuple(fc.constant(one), mutated(one))),
        ([one, two]) => {
          const rules = (a: JsonSchema, b: JsonSchema) => compatibilityFaults(a, b).length > 0
          return rules(one, two) === rules(two, one)
        },
      ),
    ))
})
