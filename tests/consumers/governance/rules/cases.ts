import { expect } from 'chai'
import type { Rule } from '../../../../consumers/governance/rules/rule.ts'
import type { Wpk, WpkHandler } from '../../../../schemas/wpk.ts'
import { apply, findings, packageWith, shell } from '../packages.ts'

/** A package, or a command that stands alone in one. */
export type Case = string | Wpk

const packageOf = (one: Case): Wpk => (typeof one === 'string' ? packageWith([shell(one)]) : one)
const titleOf = (one: Case): string =>
  (typeof one === 'string' ? one : JSON.stringify(one.spec.handlers.map(({ config }) => config)))
    .replace(/\s+/g, ' ')
    .slice(0, 110)

/** What a rule must find, and what it must leave alone although it looks alike: three of each at least. */
export function ruleCases(rule: Rule, { finds, leaves }: { finds: readonly Case[]; leaves: readonly Case[] }): void {
  describe(`${rule.id} ${rule.name}`, () => {
    for (const one of finds) {
      it(`finds ${titleOf(one)}`, () => {
        const found = findings(rule, packageOf(one))
        expect(found).not.to.deep.equal([])
        for (const { rule_id, pointer } of found) {
          expect(rule_id).to.equal(rule.id)
          expect(pointer).to.match(/^\/spec/)
        }
      })
    }
    for (const one of leaves) {
      it(`leaves ${titleOf(one)}`, () => {
        expect(findings(rule, packageOf(one))).to.deep.equal([])
      })
    }
    it('has three cases of each kind', () => {
      expect(Math.min(finds.length, leaves.length)).to.be.at.least(3)
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
