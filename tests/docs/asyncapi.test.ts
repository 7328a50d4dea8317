import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv } from 'ajv'
import { expect } from 'chai'
import { asyncapi } from '../../docs/asyncapi.ts'
import { reactions } from '../../docs/consumer-table.ts'
import { referencePages } from '../../docs/generate.ts'
import { eventTypes } from '../../schemas/index.ts'
import { topicList } from '../../schemas/topics.ts'

type Part = Record<string, unknown>
type Document = {
  operations: Record<string, Part>
  channels: Record<string, Part>
  components: { messages: Record<string, Part> }
}
const specification = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.1.0.json') as Part
const document = () => structuredClone(asyncapi('1.0.0')) as unknown as Document

describe('docs/asyncapi', () => {
  // It brings its own copy of the metaschema; the formats it names (uri, email) say nothing about our document.
  const valid = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false }).compile(
    specification,
  )

  it('is a valid AsyncAPI 3.1 document', () => {
    expect(valid(document()), JSON.stringify(valid.errors?.slice(0, 3))).to.equal(true)
  })

  it('would not be with an unknown action, version or message shape', () => {
    const broken: ((of: ReturnType<typeof document>) => void)[] = [
      (of) => Object.assign(of.operations['analytics.receive.atom.billing'] as Part, { action: 'read' }),
      (of) => Object.assign(of, { asyncapi: '2.6.0' }),
      (of) => Object.assign(of.components.messages['wpk.verdict'] as Part, { payload: 7 }),
      (of) => Object.assign(of.channels['atom.wpk'] as Part, { adress: 'x' }),
    ]
    for (const [index, breakIt] of broken.entries()) {
      const of = document()
      breakIt(of)
      expect(valid(of), `broken ${index}`).to.equal(false)
    }
  })

  it('has references that all lead somewhere', () => {
    const of = document()
    const references = [...JSON.stringify(of).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path as string)
    expect(references.length).to.be.greaterThan(20)
    for (const path of references) {
      const target = path.split('/').reduce<unknown>((part, step) => (part as Part | undefined)?.[step], of)
      expect(target, path).to.be.an('object')
    }
  })

  it('says of every topic and type what the registry says, and who reads it', () => {
    const of = document()
    expect(Object.keys(of.channels)).to.deep.equal(topicList.map(({ name }) => name))
    expect(Object.keys(of.components.messages)).to.deep.equal(eventTypes.map(({ type }) => type))
    const operations = of.operations as Record<string, { action: string; messages: { $ref: string }[] }>
    const types = ({ messages }: { messages: { $ref: string }[] }) => messages.map(({ $ref }) => $ref.split('/').at(-1))
    for (const { group, type } of reactions()) {
      const topic = eventTypes.find((one) => one.type === type)?.topic.name
      expect(types(operations[`${group}.receive.${topic}`] as never), `${group} reads ${type}`).to.include(type)
    }
    const sent = Object.values(operations)
      .filter(({ action }) => action === 'send')
      .flatMap(types)
    expect(sent.sort(), 'each type has one sender').to.deep.equal(eventTypes.map(({ type }) => type).sort())
    expect(types(operations['governance.send.atom.wpk'] as never)).to.deep.equal([
      'wpk.verdict',
      'analyzer.changed',
      'wpk.rescanned',
    ])
  })
})

describe('docs: reference pages', () => {
  for (const [path, text] of Object.entries(referencePages()))
    it(`${path} says what the code says`, () => {
      expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8') === text, 'run `npm run docs`').to.equal(
        true,
      )
    })

  it('say of every topic its key, retention, owner and consumers, and of every type its example', () => {
    const page = referencePages()['docs/reference/events.md'] as string
    for (const { name, key, retentionDays, owner } of topicList)
      expect(page).to.match(
        new RegExp(`\\| \\[${name}\\]\\S* \\| ${key} \\| \\d+ \\| ${retentionDays} days \\| ${owner} \\| \\w+`),
      )
    for (const { type, example } of eventTypes) expect(page, type).to.contain(JSON.stringify(example, null, 2))
    for (const { handler } of reactions()) expect(page).to.contain(`\`${handler}\``)
  })
})
