import { expect } from 'chai'
import fc from 'fast-check'
import semver from 'semver'
import { freshDatabase, type TestDatabase } from '../../../support/database.ts'
import { holds } from '../../../support/property.ts'

describe('producers/marketplace/catalog: order of versions', () => {
  let database: TestDatabase
  before(async () => {
    database = await freshDatabase()
  })
  after(() => database.drop())

  const sorted = async (versions: readonly string[]) =>
    (
      await database
        .as('postgres')
        .query<{ v: string }>(
          'select v from unnest(?::text[]) as v order by marketplace.precedence(v) collate "C" desc, v collate "C" desc',
          [versions],
        )
    ).map(({ v }) => v)

  it('is the one of Semantic Versioning 2.0.0', async () => {
    // The example of its section 11.
    const rising = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11']
    const all = [...rising, '1.0.0-rc.1', '1.0.0', '2.0.0', '2.1.0', '2.1.1', '10.0.0']
    expect(await sorted(all)).to.deep.equal(all.toReversed())
  })

  it('agrees with the library that resolves ranges', () => {
    const number = fc.oneof(fc.nat(12), fc.constantFrom(99, 100, 1_000_000)).map(String)
    const word = fc.constantFrom('a', 'A', 'alpha', 'alpha-b', 'b', '-', '1a', '0a', 'z')
    const core = fc.tuple(number, number, number).map((parts) => parts.join('.'))
    const rest = (lead: string) =>
      fc.option(
        fc.array(fc.oneof(number, word), { minLength: 1, maxLength: 3 }).map((parts) => lead + parts.join('.')),
        { nil: '' },
      )
    const version = fc.tuple(core, rest('-'), rest('+')).map((parts) => parts.join(''))
    return holds(
      fc.asyncProperty(fc.uniqueArray(version, { maxLength: 60 }), async (versions) => {
        const byText = (a: string, b: string) => (a < b ? 1 : -1)
        expect(await sorted(versions)).to.deep.equal(versions.toSorted((a, b) => semver.rcompare(a, b) || byText(a, b)))
      }),
      60,
    )
  })
})
