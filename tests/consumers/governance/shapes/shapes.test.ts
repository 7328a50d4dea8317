import { expect } from 'chai'
import { runRules } from '../../../../consumers/governance/judge.ts'
import { REVIEW_THRESHOLD, riskScore } from '../../../../consumers/governance/risk.ts'
import { EVERYDAY_COMMANDS } from '../../../../consumers/governance/training/everyday-commands.ts'
import { packageWith, shell } from '../packages.ts'
import { ATTACK_SHAPES } from './attack-shapes.ts'
import { CODE_SHAPES } from './code-shapes.ts'
import { FRESH_DEEDS, FRESH_TWINS } from './fresh-commands.ts'

const violationsOf = (command: string, interpreter?: string) =>
  runRules(packageWith([shell(command, interpreter === undefined ? {} : { interpreter })])).violations

describe('commands as they are known', () => {
  it('are found by the rule for their kind, nine of ten at least', () => {
    const shapes = [...ATTACK_SHAPES, ...CODE_SHAPES]
    const missed = shapes.filter(
      ([id, command, interpreter]) =>
        !violationsOf(command, interpreter).some(
          ({ rule_id, severity }) => rule_id === `WPK-${id}` && severity !== 'low',
        ),
    )
    expect(missed.length / shapes.length, JSON.stringify(missed)).to.be.at.most(0.1)
  })

  it('are not called critical when manuals show them', () => {
    const critical = EVERYDAY_COMMANDS.filter((command) =>
      violationsOf(command).some(({ severity }) => severity === 'critical'),
    )
    expect(critical.length / EVERYDAY_COMMANDS.length, JSON.stringify(critical)).to.be.at.most(0.02)
  })

  it('hold few packages when manuals show them', () => {
    const held = EVERYDAY_COMMANDS.filter((command) => riskScore(violationsOf(command), null) >= REVIEW_THRESHOLD)
    expect(held.length / EVERYDAY_COMMANDS.length, JSON.stringify(held)).to.be.at.most(0.05)
  })
})

describe('commands written blind', () => {
  it('are found by the rule for their kind as often as when they were last mended for', () => {
    const missed = FRESH_DEEDS.filter(
      ([id, command, interpreter]) =>
        !violationsOf(command, interpreter).some(
          ({ rule_id, severity }) => rule_id === `WPK-${id}` && severity !== 'low',
        ),
    )
    expect(missed, JSON.stringify(missed)).to.have.length.at.most(2)
  })

  it('hold none of the honest ones', () => {
    const held = FRESH_TWINS.filter(
      ([command, interpreter]) => riskScore(violationsOf(command, interpreter), null) >= REVIEW_THRESHOLD,
    )
    expect(held).to.deep.equal([])
  })
})
