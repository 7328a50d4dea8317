import { ANNOTATIONS, canonical, compatibilityFaults, type Fault, type JsonSchema } from './compatibility.ts'
import type { EventDefinition } from './define-event.ts'

/** One schema that was published. The first of a major has revision 0; later ones differ in optional members. */
export type PublishedSchema = { type: string; major: number; revision: number; schema: JsonSchema }
/** Why the registry and the schemas on file do not agree. */
export type VersionFault = {
  type: string
  against: string
  pointer: string
  field: string
  rule: string
  detail: string
}

/** `usage.reported.v1.json`, then `usage.reported.v1.1.json`: a file is written once and never changed. */
export const fileOf = ({ type, major, revision }: Omit<PublishedSchema, 'schema'>): string =>
  `${type}.v${major}${revision === 0 ? '' : `.${revision}`}.json`

/** The schema a file of that name holds, or null when the name is not of this form. */
export function parseFile(name: string, text: string): PublishedSchema | null {
  const parts = /^([a-z]+(?:_[a-z]+)*\.[a-z]+)\.v([1-9]\d*)(?:\.([1-9]\d*))?\.json$/.exec(name)
  if (!parts) return null
  const [, type, major, revision = '0'] = parts as unknown as [string, string, string, string?]
  return { type, major: Number(major), revision: Number(revision), schema: JSON.parse(text) as JsonSchema }
}

/** What the file of a schema contains. */
export function fileText({ type, major, schema }: PublishedSchema): string {
  const $schema = 'https://json-schema.org/draft/2020-12/schema'
  return `${JSON.stringify({ $schema, $id: `atom:${type}:${major}`, ...schema }, null, 2)}\n`
}

/** What the registry has to publish: types whose schema says something that no newest file says. */
export function unpublished(
  registry: readonly EventDefinition[],
  onFile: readonly PublishedSchema[],
): PublishedSchema[] {
  return registry.flatMap(({ type, version: major, description, schema }) => {
    const newest = ofMajor(onFile, type, major).at(-1)
    if (newest && meaning(newest.schema) === meaning(plain(schema))) return []
    const revision = newest ? newest.revision + 1 : 0
    return [{ type, major, revision, schema: { description, ...plain(schema) } }]
  })
}

/**
 * FULL_TRANSITIVE inside a major: the registry against every revision on file, and the files against each other. A
 * major before the current one needs the upcaster that leads on from it; what is on file is never forgotten.
 */
export function versionFaults(
  registry: readonly EventDefinition[],
  onFile: readonly PublishedSchema[],
): VersionFault[] {
  const faults: VersionFault[] = []
  const fault = (type: string, against: string, rule: string, detail: string) =>
    faults.push({ type, against, pointer: '', field: '', rule, detail })
  const compare = (type: string, schema: JsonSchema, against: PublishedSchema) =>
    faults.push(
      ...compatibilityFaults(against.schema, schema).map((one: Fault) => ({ type, against: fileOf(against), ...one })),
    )
  for (const { type, version, schema, upcasters } of registry) {
    compare(type, plain(schema), { type, major: version, revision: 0, schema: plain(schema) })
    for (const published of ofMajor(onFile, type, version)) compare(type, plain(schema), published)
    for (let major = 1; major < version; major++)
      if (ofMajor(onFile, type, major).length > 0 && !upcasters[major])
        fault(type, `v${major}`, 'upcaster_missing', `nothing turns data of version ${major} into version ${major + 1}`)
  }
  for (const published of onFile) {
    const { type, major, revision } = published
    const known = registry.find((one) => one.type === type)
    if (!known) fault(type, fileOf(published), 'type_removed', 'it was published and is not in the registry any more')
    else if (major > known.version)
      fault(type, fileOf(published), 'version_removed', `the registry is at ${known.version}`)
    for (const earlier of ofMajor(onFile, type, major))
      if (earlier.revision < revision) compare(type, published.schema, earlier)
    if (revision > 0 && !ofMajor(onFile, type, major).some((one) => one.revision === revision - 1))
      fault(type, fileOf(published), 'revision_missing', `revision ${revision - 1} was published and is not on file`)
  }
  return faults.filter((one, index) => faults.findIndex((other) => canonical(other) === canonical(one)) === index)
}

/** One line a person can act on. */
export const faultText = ({ type, against, rule, field, pointer, detail }: VersionFault): string =>
  `${type} against ${against}: ${rule} at ${field || 'the whole'}${pointer ? ` (${pointer})` : ''}: ${detail}`

const ofMajor = (onFile: readonly PublishedSchema[], type: string, major: number): PublishedSchema[] =>
  onFile.filter((one) => one.type === type && one.major === major).sort((a, b) => a.revision - b.revision)

/** TypeBox keeps its own marks under symbols; JSON is what is published. */
const plain = (schema: object): JsonSchema => JSON.parse(JSON.stringify(schema)) as JsonSchema

/** What a schema says, without what only explains. A member may be named `title`: only schemas lose keywords. */
const meaning = (schema: JsonSchema): string => canonical(withoutAnnotations(schema))

function withoutAnnotations(schema: JsonSchema): JsonSchema {
  const each = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(each)
      : typeof value === 'object' && value !== null
        ? withoutAnnotations(value as JsonSchema)
        : value
  const kept = Object.entries(schema)
    .filter(([keyword]) => !ANNOTATIONS.has(keyword))
    .map(([keyword, value]): [string, unknown] => {
      if (keyword === 'properties' || keyword === 'patternProperties')
        return [keyword, Object.fromEntries(Object.entries(value as object).map(([name, part]) => [name, each(part)]))]
      // The order in which these stand says nothing.
      if (keyword === 'required' || keyword === 'enum' || keyword === 'anyOf')
        return [keyword, (value as unknown[]).map(each).sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1))]
      return [keyword, keyword === 'const' ? value : each(value)]
    })
  return Object.fromEntries(kept)
}
