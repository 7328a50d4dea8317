/** A JSON Schema as it stands on file. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** Why two schemas may not be versions of one major. `pointer` (RFC 6901) is the place in the schema. */
export type Fault = { rule: Rule; pointer: string; field: string; detail: string }
export type Rule =
  | 'keyword_not_understood'
  | 'open_object'
  | 'ambiguous_union'
  | 'type_changed'
  | 'constraint_changed'
  | 'required_changed'
  | 'choices_changed'
  | 'tuple_changed'
  | 'member_counted'

/** `fixed`: inside `uniqueItems` or beside a count of members, dropping a member could break what is counted. */
type Place = { pointer: string; field: string; fixed: boolean }

export const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'examples',
])
const CONSTRAINTS = [
  ...['minLength', 'maxLength', 'pattern', 'format'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties', 'const'],
] as const
const STRUCTURE = ['type', 'enum', 'anyOf', 'items', 'prefixItems', 'properties', 'required'] as const
const MAPS = ['patternProperties', 'additionalProperties'] as const
/** What describes the inside of a value; a union has it in its branches. */
const INSIDE = ['items', 'prefixItems', 'properties', ...MAPS] as const
const UNDERSTOOD: ReadonlySet<string> = new Set([...ANNOTATIONS, ...CONSTRAINTS, ...STRUCTURE, ...MAPS])

/**
 * What keeps two closed schemas from reading each other's data; empty when each reads the other's. Optional members
 * may differ (the reader drops those it does not know), nothing else may. The order of the two does not matter.
 */
export function compatibilityFaults(one: JsonSchema, other: JsonSchema): Fault[] {
  return compare(one, other, { pointer: '', field: '', fixed: false })
}

function compare(one: JsonSchema, other: JsonSchema, place: Place): Fault[] {
  if (!isSchema(one) || !isSchema(other))
    return [at(place, null, 'keyword_not_understood', 'true and false are schemas that no rule speaks of')]
  const refused = [...refusals(one, place), ...refusals(other, place)]
  // What is not understood cannot be judged further; the same reason from both sides is one fault.
  if (refused.length > 0) return refused.filter((fault, index) => refused.findIndex((f) => same(f, fault)) === index)
  const types = [one, other].map((schema) => canonical([schema.type].flat().sort()))
  if (types[0] !== types[1])
    return [at(place, 'type', 'type_changed', `${text(one.type)} in one, ${text(other.type)} in the other`)]
  return [
    ...constraints(one, other, place),
    ...choices(one, other, place),
    ...members(one, other, place),
    ...maps(one, other, place),
    ...items(one, other, place),
  ]
}

/** What makes a schema unfit to evolve, whatever it is compared with. */
function refusals(schema: JsonSchema, place: Place): Fault[] {
  const faults = Object.keys(schema)
    .filter((keyword) => !UNDERSTOOD.has(keyword))
    .map((keyword) => at(place, keyword, 'keyword_not_understood', `no rule says what a change of ${keyword} means`))
  const takesMembers = schema.properties !== undefined || [schema.type].flat().includes('object')
  const closed = schema.additionalProperties === false || isSchema(schema.additionalProperties)
  if (takesMembers && !closed && (schema.properties !== undefined || schema.patternProperties === undefined))
    faults.push(
      at(place, null, 'open_object', 'it takes any member, so a new one would clash with what is already sent'),
    )
  if (
    schema.properties !== undefined &&
    (schema.patternProperties !== undefined || isSchema(schema.additionalProperties))
  )
    faults.push(
      at(place, null, 'open_object', 'it has named members and free ones, so a new name would clash with a free one'),
    )
  const branches = branchesOf(schema)
  for (const shape of ['object', 'array'] as const)
    if (branches.filter((branch) => takes(branch, shape)).length > 1)
      faults.push(
        at(place, 'anyOf', 'ambiguous_union', `two branches take ${shape}s: which one data is of cannot be told`),
      )
  if (
    branches.some(({ anyOf }) => anyOf !== undefined) ||
    (branches.length > 0 && INSIDE.some((of) => schema[of] !== undefined))
  )
    faults.push(at(place, 'anyOf', 'ambiguous_union', 'a union inside or beside another description of the same value'))
  return faults
}

function takes({ type, const: only, enum: listed }: JsonSchema, shape: 'object' | 'array'): boolean {
  if (type !== undefined) return [type].flat().includes(shape)
  const values = only !== undefined ? [only] : Array.isArray(listed) ? listed : null
  // Without any of the three it takes everything.
  return values === null || values.some((value) => (shape === 'array' ? Array.isArray(value) : isSchema(value)))
}

function constraints(one: JsonSchema, other: JsonSchema, place: Place): Fault[] {
  return CONSTRAINTS.filter((keyword) => !same(one[keyword], other[keyword])).map((keyword) =>
    at(place, keyword, 'constraint_changed', `${text(one[keyword])} in one, ${text(other[keyword])} in the other`),
  )
}

/** `enum` is a set. Of a union each branch needs its like on the other side; the order of either says nothing. */
function choices(one: JsonSchema, other: JsonSchema, place: Place): Fault[] {
  const [a, b] = [one, other].map(({ enum: listed }) => (Array.isArray(listed) ? listed.map(canonical).sort() : null))
  if (!same(a, b))
    return [at(place, 'enum', 'choices_changed', `${text(one.enum)} in one, ${text(other.enum)} in the other`)]
  const [left, right] = [branchesOf(one), branchesOf(other)]
  const unmatched = (from: JsonSchema[], to: JsonSchema[]) =>
    from.filter((branch) => !to.some((like) => compare(branch, like, place).length === 0))
  const lonely = [...unmatched(left, right), ...unmatched(right, left)]
  if (lonely.length === 0 && left.length === right.length) return []
  // The one object of each side is the same choice: say what changed inside it instead of "a branch changed".
  const [mine, its] = [left, right].map((list) => list.findIndex(({ type }) => type === 'object')) as [number, number]
  if (mine >= 0 && its >= 0 && lonely.length === 2 && lonely.every(({ type }) => type === 'object'))
    return compare(left[mine] as JsonSchema, right[its] as JsonSchema, under(place, ['anyOf', String(mine)], ''))
  return [
    at(
      place,
      'anyOf',
      'choices_changed',
      `only one of them takes ${lonely.map(text).join(', ') || 'a repeated branch'}`,
    ),
  ]
}

function members(one: JsonSchema, other: JsonSchema, place: Place): Fault[] {
  const [mine, its] = [propertiesOf(one), propertiesOf(other)]
  const counted = one.minProperties !== undefined || one.maxProperties !== undefined
  const requiredBy = [one, other].map(({ required }) => (Array.isArray(required) ? (required as string[]) : []))
  const faults: Fault[] = []
  for (const name of new Set([...Object.keys(mine), ...Object.keys(its), ...requiredBy.flat()])) {
    const inside = under(place, ['properties', name], place.field === '' ? name : `.${name}`)
    const [a, b] = [mine[name], its[name]]
    const needed = requiredBy.map((names) => names.includes(name))
    if (needed[0] !== needed[1])
      faults.push(
        at(
          inside,
          null,
          'required_changed',
          a && b ? 'required in one, optional in the other' : 'required in one, absent in the other',
        ),
      )
    else if (a && b) faults.push(...compare(a, b, inside))
    else if (needed[0]) faults.push(at(inside, null, 'required_changed', 'required, but not declared in both'))
    else if (place.fixed || counted)
      faults.push(
        at(inside, null, 'member_counted', 'its object is counted or compared whole, so its members cannot differ'),
      )
    // A member only one side has must itself be fit to evolve: the next version is compared with it.
    else faults.push(...compare((a ?? b) as JsonSchema, (a ?? b) as JsonSchema, inside))
  }
  return faults
}

function maps(one: JsonSchema, other: JsonSchema, place: Place): Fault[] {
  const [mine, its] = [one, other].map(
    ({ patternProperties }) => (patternProperties ?? {}) as Record<string, JsonSchema>,
  ) as [Record<string, JsonSchema>, Record<string, JsonSchema>]
  if (!same(Object.keys(mine).sort(), Object.keys(its).sort()))
    return [at(place, 'patternProperties', 'constraint_changed', 'the names it takes differ')]
  const faults = Object.keys(mine).flatMap((pattern) =>
    compare(
      mine[pattern] as JsonSchema,
      its[pattern] as JsonSchema,
      under(place, ['patternProperties', pattern], '{}'),
    ),
  )
  const [a, b] = [one.additionalProperties, other.additionalProperties]
  if (isSchema(a) && isSchema(b)) faults.push(...compare(a, b, under(place, ['additionalProperties'], '{}')))
  else if (!same(a, b))
    faults.push(at(place, 'additionalProperties', 'constraint_changed', `${text(a)} in one, ${text(b)} in the other`))
  return faults
}

function items(one: JsonSchema, other: JsonSchema, place: Place): Fault[] {
  const fixed = place.fixed || one.uniqueItems === true
  const [mine, its] = [tupleOf(one), tupleOf(other)]
  if (mine.length !== its.length)
    return [at(place, 'prefixItems', 'tuple_changed', `${mine.length} places in one, ${its.length} in the other`)]
  const faults = mine.flatMap((item, index) =>
    compare(item, its[index] as JsonSchema, { ...under(place, ['prefixItems', String(index)], `[${index}]`), fixed }),
  )
  const [a, b] = [one.items, other.items]
  if (isSchema(a) && isSchema(b)) faults.push(...compare(a, b, { ...under(place, ['items'], '[]'), fixed }))
  else if (!same(a, b)) faults.push(at(place, 'items', 'type_changed', `${text(a)} in one, ${text(b)} in the other`))
  return faults
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const propertiesOf = ({ properties }: JsonSchema) => (properties ?? {}) as Record<string, JsonSchema>
const branchesOf = ({ anyOf }: JsonSchema) => (Array.isArray(anyOf) ? (anyOf as JsonSchema[]) : [])
const tupleOf = ({ prefixItems }: JsonSchema) => (Array.isArray(prefixItems) ? (prefixItems as JsonSchema[]) : [])
const text = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))
const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

const under = (place: Place, path: readonly string[], field: string): Place => ({
  pointer: path.reduce(
    (pointer, step) => `${pointer}/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`,
    place.pointer,
  ),
  field: place.field + field,
  fixed: place.fixed,
})
const at = (place: Place, keyword: string | null, rule: Rule, detail: string): Fault => {
  const { pointer } = keyword === null ? place : under(place, [keyword], '')
  return { rule, pointer, field: place.field, detail }
}

/** JSON with sorted keys and without what only explains: two texts are equal when the schemas say the same. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    isSchema(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  )
}
