import { expect } from 'chai'
import { chains, IN_DATABASE } from './chains.ts'
import { points } from './points.ts'

describe('faults/chains', () => {
  for (const backend of ['embedded', 'kafka'] as const) {
    const wanted = points.filter(({ only }) => only === undefined || only === backend)

    it(`has every point of ${backend} once in the short form, but what stays in the database once over both`, () => {
      const specs = chains(backend, false).flatMap((chain) => chain.specs)
      const met = wanted.filter(({ drive }) => backend === 'embedded' || !IN_DATABASE.includes(drive))
      expect(specs.map((spec) => spec.split('@')[0]).toSorted()).to.deep.equal(met.map(({ name }) => name).toSorted())
    })

    it(`has every group of every point of ${backend} in the long form`, () => {
      const specs = chains(backend, true).flatMap((chain) => chain.specs)
      const all = wanted.flatMap(({ name, groups }) => groups?.map((group) => `${name}@${group}`) ?? [name])
      expect(specs.toSorted()).to.deep.equal(all.toSorted())
    })
  }
})
