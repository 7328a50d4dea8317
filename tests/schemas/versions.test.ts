import { Type } from '@sinclair/typebox'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'chai'
import { publishedSchemas } from '../../docs/published-schemas.ts'
import { defineEvent, type EventDefinition } from '../../schemas/define-event.ts'
import { dropUnknown } from '../../schemas/drop-unknown.ts'
import { closed } from '../../schemas/envelope.ts'
import { eventTypes } from '../../schemas/index.ts'
import { topics } from '../../schemas/topics.ts'
import type { Upcaster } from '../../schemas/upcast.ts'
import {
  faultText,
  fileOf,
  fileText,
  type PublishedSchema,
  parseFile,
  unpublished,
  versionFaults,
} from '../../schemas/versions.ts'

describe('schemas/versions', () => {
  describe('the registry', () => {
    it('is compatible with every version on file', () => {
      expect(versionFaults(eventTypes, publishedSchemas()).map(faultText)).to.deep.equal([])
    })

    it('has nothing that is not on file', () => {
      expect(unpublished(eventTypes, publishedSchemas()).map(fileOf), 'run `npm run docs`').to.deep.equal([])
    })

    for (const { type, version, example } of eventTypes)
      for (const published of publishedSchemas().filter((one) => one.type === type && one.major === version))
        it(`has an example that a reader with ${fileOf(published)} takes`, () => {
          const valid = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(published.schema)
          expect(valid(dropUnknown(published.schema, example))).to.equal(true)
        })

    for (const definition of eventTypes)
      it(`could not lose or bend a member of ${definition.type} unseen`, () => {
        const schema = definition.schema as unknown as { properties: Record<string, object>; required: string[] }
        for (const name of Object.keys(schema.properties)) {
          const { [name]: member, ...others } = schema.properties
          const bent = { ...schema, properties: { ...others, [name]: { ...member, type: 'boolean' } } }
          const lost = { ...schema, properties: others, required: schema.required.filter((one) => one !== name) }
          // A member that came later is on file from the revision on that brought it.
          const since = publishedSchemas().find(
            (one) =>
              one.type === definition.type &&
              one.major === definition.version &&
              name in (one.schema.properties as Record<string, unknown>),
          ) as PublishedSchema
          // Losing an optional member is allowed; bending one is not.
          for (const planted of schema.required.includes(name) ? [bent, lost] : [bent]) {
            const texts = versionFaults([{ ...definition, schema: planted as never }], publishedSchemas()).filter(
              ({ rule }) => rule !== 'type_removed',
            )
            expect(
              texts.map(({ field, against }) => [field, against]),
              name,
            ).to.deep.include([name, fileOf(since)])
          }
        }
      })
  })

  const type = 'thing.happened'
  const make = (version: number, members: Parameters<typeof closed>[0], upcasters: Record<number, Upcaster> = {}) =>
    defineEvent({
      type,
      version,
      topic: topics.wpk,
      description: 'A thing.',
      data: closed(members),
      key: () => 'k',
      example: {},
      upcasters,
    }) as EventDefinition
  const publish = (definition: EventDefinition, onFile: PublishedSchema[]) => [
    ...onFile,
    ...unpublished([definition], onFile),
  ]
  const rules = (definition: EventDefinition, onFile: PublishedSchema[]) =>
    versionFaults([definition], onFile).map(({ rule, field, against }) => `${rule} ${field} ${against}`)
  const a = Type.String()
  const first = publish(make(1, { a }), [])

  it('writes a file for the first version, and for a new optional member a revision beside it', () => {
    const second = publish(make(1, { a, b: Type.Optional(Type.Integer()) }), first)
    expect(second.map(fileOf)).to.deep.equal(['thing.happened.v1.json', 'thing.happened.v1.1.json'])
    expect(second[0]).to.equal(first[0])
    expect(rules(make(1, { a, b: Type.Optional(Type.Integer()) }), second)).to.deep.equal([])
    const [one] = second as [PublishedSchema]
    expect(parseFile(fileOf(one), fileText(one))?.schema).to.deep.include(one.schema)
  })

  it('writes none for other words, or the same in another order', () => {
    const two = publish(make(1, { a, b: a }), [])
    expect(unpublished([make(1, { b: a, a: Type.String({ title: 'A', description: 'a' }) })], two)).to.deep.equal([])
  })

  it('names the rule and the field of a change that needs a new major', () => {
    expect(rules(make(1, { a: Type.Integer() }), first)).to.deep.equal(['type_changed a thing.happened.v1.json'])
    expect(rules(make(1, { a, b: a }), first)).to.deep.equal(['required_changed b thing.happened.v1.json'])
    expect(versionFaults([make(1, { a: Type.Integer() })], first).map(faultText)).to.deep.equal([
      'thing.happened against thing.happened.v1.json: type_changed at a (/properties/a/type): "string" in one, "integer" in the other',
    ])
  })

  it('compares with every revision, not only the last: a name that was once taken keeps its type', () => {
    const second = publish(make(1, { a, b: Type.Optional(Type.Integer()) }), first)
    const third = publish(make(1, { a }), second)
    expect(third).to.have.length(3)
    expect(rules(make(1, { a, b: Type.Optional(Type.String()) }), third)).to.deep.equal([
      'type_changed b thing.happened.v1.1.json',
    ])
  })

  it('takes any change in a new major, and asks for what leads there from the old one', () => {
    const second = make(2, { c: a })
    const onFile = publish(second, first)
    expect(onFile.map(fileOf)).to.deep.equal(['thing.happened.v1.json', 'thing.happened.v2.json'])
    expect(rules(second, onFile)).to.deep.equal(['upcaster_missing  v1'])
    expect(rules(make(2, { c: a }, { 1: ({ a: c }: { a: string }) => ({ c }) }), onFile)).to.deep.equal([])
  })

  it('never forgets what was published', () => {
    const second = publish(make(1, { a, b: Type.Optional(a) }), first)
    const third = publish(make(1, { a, c: Type.Optional(a) }), second)
    const gap = third.filter(({ revision }) => revision !== 1)
    expect(rules(make(1, { a, c: Type.Optional(a) }), gap)).to.deep.equal([
      'revision_missing  thing.happened.v1.2.json',
    ])
    expect(versionFaults([], first).map(({ rule }) => rule)).to.deep.equal(['type_removed'])
    expect(rules(make(1, { a }), publish(make(2, { c: a }), first))).to.deep.equal([
      'version_removed  thing.happened.v2.json',
    ])
  })

  it('refuses an event type that could never change, before it is published', () => {
    const open = make(1, { a: Type.Object({ b: a }) })
    expect(rules(open, [])).to.deep.equal(['open_object a thing.happened.v1.json'])
  })

  it('knows its files by name', () => {
    for (const name of [
      'thing.happened.json',
      'thing.v1.json',
      'thing.happened.v0.json',
      'thing.happened.v1.0.json',
      'x.y.v1.json~',
    ])
      expect(parseFile(name, '{}'), name).to.equal(null)
    expect(parseFile('thing.happened.v12.3.json', '{}')).to.deep.equal({ type, major: 12, revision: 3, schema: {} })
  })
})
