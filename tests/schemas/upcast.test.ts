import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import { defineEvent, type EventDefinition, EventInvalid } from '../../schemas/define-event.ts'
import { dropUnknown } from '../../schemas/drop-unknown.ts'
import { closed, type Envelope } from '../../schemas/envelope.ts'
import { topics } from '../../schemas/topics.ts'
import { currentEvent, SchemaUnknown, type Upcaster } from '../../schemas/upcast.ts'

/** Version 1 had one name, version 2 two, version 3 has a list of them. */
const upcasters: Record<number, Upcaster> = {
  1: ({ name }: { name: string }) => ({ first: name.split(' ')[0], last: name.split(' ')[1] }),
  2: ({ first, last }: { first: string; last: string }) => ({ names: [first, last] }),
}
const make = (more: object = {}) =>
  defineEvent({
    type: 'person.named',
    version: 3,
    topic: topics.wpk,
    description: 'A person got names.',
    data: closed({ names: Type.Array(Type.String()), at: Type.Optional(closed({ place: Type.String() })) }),
    key: () => 'k',
    example: { names: ['a'] },
    upcasters,
    ...more,
  }) as EventDefinition
const person = make()
const event = (dataschema: string, data: unknown): Envelope => ({
  ...person.create({ names: [] }, { source: '//test', now: new Date(0), id: 'e-1' }),
  dataschema,
  data,
})

describe('schemas/upcast', () => {
  it('leaves an event of the current version as it is', () => {
    const given = event('atom:person.named:3', { names: ['Ada'] })
    const read = currentEvent(person, given)
    expect(read).to.deep.equal(given)
    expect(read.data).to.equal(given.data)
  })

  it('leads older versions on step by step', () => {
    for (const [dataschema, data] of [
      ['atom:person.named:1', { name: 'Ada Lovelace' }],
      ['atom:person.named:2', { first: 'Ada', last: 'Lovelace' }],
    ] as const)
      expect(currentEvent(person, event(dataschema, data))).to.deep.equal(
        event('atom:person.named:3', { names: ['Ada', 'Lovelace'] }),
      )
  })

  it('drops members of a newer revision, at any depth', () => {
    const data = { names: ['Ada'], at: { place: 'London', floor: 3 }, mood: 'good' }
    const given = structuredClone(data)
    expect(currentEvent(person, event('atom:person.named:3', given)).data).to.deep.equal({
      names: ['Ada'],
      at: { place: 'London' },
    })
    expect(given).to.deep.equal(data)
  })

  const unreadable: [string, Envelope, string][] = [
    ['of a newer major', event('atom:person.named:4', { names: [] }), 'newer than version 3'],
    ['of another type', event('atom:thing.named:3', { names: [] }), 'not a schema of person.named'],
    ['of no version', event('atom:person.named', { names: [] }), 'not a schema of person.named'],
    ['of version 0', event('atom:person.named:0', { names: [] }), 'not a schema of person.named'],
  ]
  for (const [what, given, reason] of unreadable)
    it(`does not guess at an event ${what}`, () => {
      expect(() => currentEvent(person, given))
        .to.throw(SchemaUnknown, reason)
        .with.include({ code: 'schema_unknown', retriable: false })
    })

  it('does not skip a step that nobody wrote', () => {
    const gap = make({ upcasters: { 1: upcasters[1] } })
    expect(() => currentEvent(gap, event('atom:person.named:1', { name: 'Ada Lovelace' }))).to.throw(
      SchemaUnknown,
      'version 2 into version 3',
    )
  })

  it('refuses data that is wrong beyond unknown members, before or after an upcaster', () => {
    for (const [version, data] of [
      [3, { names: [7], mood: 'good' }],
      [3, { mood: 'good' }],
      [2, { first: 7, last: 'x' }],
      [1, {}],
      [1, null],
    ] as const)
      expect(() => currentEvent(person, event(`atom:person.named:${version}`, data)), JSON.stringify(data)).to.throw(
        EventInvalid,
      )
  })
})

describe('schemas/drop-unknown', () => {
  const inner = { type: 'object', properties: { a: {} }, additionalProperties: false }

  it('goes through lists, tuples, unions and maps', () => {
    const data = { a: 1, b: 2 }
    expect(dropUnknown({ type: 'array', items: inner }, [data])).to.deep.equal([{ a: 1 }])
    expect(dropUnknown({ type: 'array', prefixItems: [{}, inner], items: false }, [data, data])).to.deep.equal([
      data,
      { a: 1 },
    ])
    expect(dropUnknown({ anyOf: [{ type: 'null' }, inner] }, data)).to.deep.equal({ a: 1 })
    expect(dropUnknown({ type: 'object', patternProperties: { '^m': inner } }, { m: data, n: data })).to.deep.equal({
      m: { a: 1 },
      n: data,
    })
    expect(dropUnknown({ type: 'object', additionalProperties: inner }, { m: data })).to.deep.equal({ m: { a: 1 } })
  })

  it('keeps what is not an object where one is expected, for the validator to refuse', () => {
    for (const junk of [null, 7, 'text', [1]]) expect(dropUnknown(inner, junk)).to.deep.equal(junk)
  })

  it('is not fooled by names that every object has', () => {
    expect(dropUnknown(inner, JSON.parse('{"a":1,"constructor":2,"__proto__":{"b":3}}'))).to.deep.equal({ a: 1 })
  })
})
