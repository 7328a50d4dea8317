import { expect } from 'chai'
import { type OriginRule, type Rule, runOriginRule } from '../../../../consumers/governance/rules/rule.ts'
import type { Origin } from '../../../../schemas/origin.ts'
import type { Violation } from '../../../../schemas/verdict.ts'
import type { Wpk, WpkHandler } from '../../../../schemas/wpk.ts'
import { apply, findings, packageWith, shell } from '../packages.ts'

/** A package, or a command that stands alone in one. */
export type Case = string | Wpk

const packageOf = (one: Case): Wpk => (typeof one === 'string' ? packageWith([shell(one)]) : one)
const titleOf = (one: Case): string =>
  (typeof one === 'string' ? one : JSON.stringify(one.spec.handlers.map(({ config }) => config)))
    .replace(/\s+/g, ' ')
    .slice(0, 110)

type Cases<T> = { finds: readonly T[]; leaves: readonly T[] }

/** What a rule must find, and what it must leave alone although it looks alike: three different ones of each at least. */
export const ruleCases = (rule: Rule, cases: Cases<Case>): void =>
  judged(rule, cases, (one) => findings(rule, packageOf(one)), titleOf)

/** The same of a rule on what the marketplace found. */
export const originCases = (rule: OriginRule, cases: Cases<Origin>): void =>
  judged(rule, cases, (one) => runOriginRule(rule, one), JSON.stringify)

function judged<T>(
  rule: Rule | OriginRule,
  { finds, leaves }: Cases<T>,
  find: (one: T) => Violation[],
  title: (one: T) => string,
): void {
  describe(`${rule.id} ${rule.name}`, () => {
    for (const one of finds) {
      it(`finds ${title(one)}`, () => {
        const found = find(one)
        expect(found).not.to.deep.equal([])
        for (const { rule_id, pointer } of found) {
          expect(rule_id).to.equal(rule.id)
          expect(pointer).to.match(/^\/(?:spec|metadata)/)
        }
      })
    }
    for (const one of leaves) {
      it(`leaves ${title(one)}`, () => {
        expect(find(one)).to.deep.equal([])
      })
    }
    it('has three cases of each kind, no two of them the same but for numbers', () => {
      const different = (list: readonly T[]) => new Set(list.map((one) => JSON.stringify(one).replace(/\d/g, ''))).size
      expect(different(finds), 'to find').to.equal(finds.length).and.to.be.at.least(3)
      expect(different(leaves), 'to leave').to.equal(leaves.length).and.to.be.at.least(3)
    })
  })
}

export const handlers = (...list: WpkHandler[]): Wpk => packageWith(list)
export const config = (more: Record<string, unknown>): Wpk =>
  packageWith([{ name: 'step', type: 'shell', config: more }])
export const python = (command: string): Wpk => config({ command, interpreter: 'python3' })
export const node = (command: string): Wpk => config({ command, interpreter: 'node' })
export const manifest = (value: unknown): Wpk => packageWith([apply(value)])
export const pod = (spec: Record<string, unknown>, container: Record<string, unknown> = {}): Wpk =>
  manifest({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'worker' },
    spec: { ...spec, containers: [{ name: 'worker', image: 'registry.example.net/worker:1.4', ...container }] },
  })
/** A package that an event of a code host starts. */
export const onEvent = (event: string, list: WpkHandler[], source = 'github'): Wpk =>
  packageWith(list, { triggers: [{ type: 'event', config: { source, event } }] })
export const uses = (reference: string, more: Record<string, unknown> = {}): WpkHandler => ({
  name: 'action',
  type: 'shell',
  config: { uses: reference, ...more },
})
