import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import { fromRecord, toRecord } from '../../platform/bus/binary-mode.ts'
import { defineEvent, EventInvalid } from '../../schemas/define-event.ts'
import { closed } from '../../schemas/envelope.ts'
import { eventTypes } from '../../schemas/index.ts'
import { deadLetterTopic, topicList, topics } from '../../schemas/topics.ts'

const options = { source: '//test', now: new Date('2026-11-02T10:00:00Z') }
const GROUPS = ['marketplace', 'governance', 'metering', 'analytics', 'feeds']
/** What a topic may be called so that Kafka, its metrics and a Kubernetes label all take it; `_` and `.` collide there. */
const lint = (name: string): boolean => /^[a-z]+(\.[a-z]+)+$/.test(name) && name.length < 63

describe('schemas: events', () => {
  it('lists every type once', () => {
    const names = eventTypes.map(({ type }) => type)
    expect(new Set(names).size).to.equal(names.length)
    expect(names).to.include.members(['wpk.submitted', 'wpk.verdict', 'usage.reported', 'invoice.issued'])
  })

  for (const definition of eventTypes) {
    const { type, version, topic, description, example } = definition
    describe(`${type} v${version}`, () => {
      it('has an example that is valid', () => {
        expect(definition.problem(example)).to.equal(null)
      })

      it('carries its example through the bus unchanged', () => {
        const event = definition.create(example, options)
        const { key, headers, value } = toRecord(event, topic)
        const record = {
          topic: topic.name,
          partition: 0,
          position: '1:1',
          next: '1:1',
          key,
          headers,
          value,
          recordedAt: new Date(0),
        }
        expect(fromRecord(record)).to.deep.equal(event)
        expect(event).to.include({ type, dataschema: `atom:${type}:${version}` })
      })

      it('is a past fact on a topic of the registry, keyed by something', () => {
        expect(type).to.match(/^[a-z]+(_[a-z]+)*\.[a-z]+$/)
        expect(topicList).to.include(topic)
        expect(description).to.match(/\.$/)
        expect(definition.create(example, options).partitionkey).to.be.a('string').and.not.equal('')
      })

      it('refuses data that lacks, adds or bends a member', () => {
        const good = example as Record<string, unknown>
        for (const name of Object.keys(good).filter((one) => one !== 'package')) {
          const { [name]: _gone, ...less } = good
          expect(() => definition.create(less, options), `without ${name}`).to.throw(EventInvalid)
          expect(() => definition.create({ ...good, [name]: Symbol.iterator }, options), `bent ${name}`).to.throw(
            EventInvalid,
          )
        }
        expect(() => definition.create({ ...good, password: 'x' }, options)).to.throw(EventInvalid, 'additional')
        for (const junk of [null, undefined, [], 'text', 7]) expect(definition.problem(junk)).to.be.a('string')
      })
    })
  }

  it('copies the journey from the event that caused it', () => {
    const [submitted, verdict] = eventTypes as [(typeof eventTypes)[0], (typeof eventTypes)[0]]
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const first = submitted.create(submitted.example, { ...options, traceparent })
    const second = verdict.create(verdict.example, { ...options, causedBy: first })
    expect(first).to.include({ correlationid: first.id }).and.not.have.property('causationid')
    expect(second).to.include({ correlationid: first.id, causationid: first.id, traceparent })
    const third = verdict.create(verdict.example, { ...options, causedBy: second })
    expect(third).to.include({ correlationid: first.id, causationid: second.id })
  })

  it('takes every package name and version that the package format allows', () => {
    const submitted = eventTypes[0] as (typeof eventTypes)[0]
    const version = `1.0.0-${'a'.repeat(122)}`
    expect(version).to.have.length(128)
    const ofPackages = eventTypes.filter(({ topic, example }) => topic === topics.wpk && 'name' in (example as object))
    expect(ofPackages).to.have.length.above(5)
    for (const definition of ofPackages)
      expect(
        definition.problem({
          ...(definition.example as object),
          name: 'n'.repeat(128),
          // What is said of a package is said of no version of it.
          ...('version' in (definition.example as object) ? { version } : {}),
        }),
        definition.type,
      ).to.equal(null)
    expect(submitted.problem({ ...(submitted.example as object), name: '' })).to.be.a('string')
  })

  it('compiles its schema when it is first used, so a definition that cannot be checked fails there', () => {
    const data = closed({ a: Type.String({ pattern: '[' }) })
    const broken = defineEvent({
      type: 'a.b',
      version: 1,
      topic: topics.wpk,
      description: 'x.',
      data,
      key: () => 'k',
      example: { a: '' },
    })
    expect(() => broken.problem({ a: '' })).to.throw()
  })
})

describe('schemas: topics', () => {
  for (const { name, partitions, retentionDays } of topicList)
    it(`${name} has a name every broker takes, partitions and a retention`, () => {
      expect(lint(name), name).to.equal(true)
      expect(partitions).to.be.greaterThan(0)
      expect(retentionDays).to.be.greaterThan(0)
      for (const group of GROUPS)
        expect(lint(deadLetterTopic(name, group)), deadLetterTopic(name, group)).to.equal(true)
    })

  it('the lint refuses what it should', () => {
    for (const name of ['atom_wpk', 'atom', 'Atom.wpk', 'atom.wpk_events', `atom.${'x'.repeat(60)}`])
      expect(lint(name), name).to.equal(false)
  })
})
