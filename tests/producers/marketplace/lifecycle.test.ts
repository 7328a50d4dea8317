import { expect } from 'chai'
import fc from 'fast-check'
import {
  mayBecome,
  nextStep,
  type Status,
  statuses,
  statusOfDecision,
  transitions,
} from '../../../producers/marketplace/lifecycle.ts'
import { holds } from '../../support/property.ts'

const FINAL: Status[] = ['rejected', 'blocked']
const PUBLIC: Status[] = ['published', 'deprecated', 'yanked', 'blocked']

describe('producers/marketplace/lifecycle', () => {
  it('leads only to states it has, and tells the publisher about each', () => {
    for (const status of statuses) {
      for (const next of transitions[status]) expect(statuses).to.include(next)
      expect(nextStep[status], status).to.match(/\.$/)
    }
    expect(statuses).to.have.members([
      'submitted',
      'scanning',
      'errored',
      'in_review',
      'changes_requested',
      'approved',
      'rejected',
      'published',
      'deprecated',
      'yanked',
      'blocked',
    ])
  })

  it('lets a reviewer decide on what is in review, and on nothing else', () => {
    for (const decided of Object.values(statusOfDecision)) {
      expect(mayBecome('in_review', decided)).to.equal(true)
      for (const from of ['published', 'rejected', 'yanked', 'blocked', 'deprecated'] as const)
        expect(mayBecome(from, decided), `${from} -> ${decided}`).to.equal(false)
    }
  })

  it('on every walk: publishes through approval only, never leaves a final state, never takes back what was public', () =>
    holds(
      fc.property(fc.array(fc.constantFrom(...statuses), { maxLength: 60 }), (wishes) => {
        const path: Status[] = ['submitted']
        for (const wish of wishes) if (mayBecome(path.at(-1) as Status, wish)) path.push(wish)
        for (const [index, status] of path.entries()) {
          const next = path[index + 1]
          if (next === undefined) break
          expect(FINAL.includes(status)).to.equal(false)
          if (next === 'published') expect(['approved', 'deprecated']).to.include(status)
          if (PUBLIC.includes(status)) expect(PUBLIC).to.include(next)
        }
        expect(path.filter((status) => status === 'approved').length).to.be.lessThan(2)
      }),
      1_000,
    ))

  it('can end every walk: from each state some final or lasting one is reached', () => {
    const lasting: Status[] = [...FINAL, 'published', 'yanked']
    const reaches = (from: Status, seen = new Set<Status>()): boolean => {
      if (lasting.includes(from)) return true
      seen.add(from)
      return transitions[from].some((next) => !seen.has(next) && reaches(next, seen))
    }
    for (const status of statuses) expect(reaches(status), status).to.equal(true)
  })
})
