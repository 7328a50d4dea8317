import type { JsonSchema } from './compatibility.ts'

/**
 * The data without the members a closed schema does not name, at any depth; all else is left as it is, valid or not.
 * A union has at most one branch of each shape (`compatibility.ts` sees to it), so the shape of the data chooses.
 */
export function dropUnknown(schema: JsonSchema, data: unknown): unknown {
  if (Array.isArray(data)) {
    const { prefixItems, items } = branchFor(schema, 'array')
    const places = Array.isArray(prefixItems) ? (prefixItems as JsonSchema[]) : []
    return data.map((item, index) => {
      const of = places[index] ?? items
      return isSchema(of) ? dropUnknown(of, item) : item
    })
  }
  if (typeof data !== 'object' || data === null) return data
  const { properties, patternProperties, additionalProperties } = branchFor(schema, 'object')
  const entries = Object.entries(data)
  if (isSchema(properties) && additionalProperties === false)
    return Object.fromEntries(
      entries
        .filter(([name]) => Object.hasOwn(properties, name))
        .map(([name, value]) => [name, dropUnknown(properties[name] as JsonSchema, value)]),
    )
  const patterns = isSchema(patternProperties) ? Object.entries(patternProperties) : []
  const of = (name: string): unknown =>
    patterns.find(([pattern]) => new RegExp(pattern, 'u').test(name))?.[1] ?? additionalProperties
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const inside = of(name)
      return [name, isSchema(inside) ? dropUnknown(inside, value) : value]
    }),
  )
}

function branchFor(schema: JsonSchema, shape: 'array' | 'object'): JsonSchema {
  if (!Array.isArray(schema.anyOf)) return schema
  const branches = schema.anyOf as JsonSchema[]
  return branches.find(({ type }) => [type].flat().includes(shape)) ?? {}
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
