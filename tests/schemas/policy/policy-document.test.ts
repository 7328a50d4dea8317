import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { currentPolicy, policies, readPolicies } from '../../../schemas/policy/policy-document.ts'
import { sha256 } from '../../support/database.ts'

/** A version that was in force never changes: decisions name it. A new one adds its line here. */
const LANDED: Record<string, string> = {
  '1.json': '6e21a2f12fcda9b6bf8689fc3039a5b2c2f82dcf9a71b54096bb525938a78e47',
}
const folder = new URL('../../../schemas/policy/versions/', import.meta.url)

describe('schemas/policy/policy-document', () => {
  it('keeps every version as it was when decisions named it', () => {
    const found = Object.fromEntries(
      readdirSync(folder).map((name) => [name, sha256(readFileSync(new URL(name, folder)))]),
    )
    expect(found).to.deep.equal(LANDED)
  })

  it('has numbers without a gap, and the newest is in force', () => {
    expect(policies.map(({ version }) => version)).to.deep.equal(policies.map((_, index) => index + 1))
    expect(currentPolicy).to.equal(policies.at(-1))
  })

  describe('refuses', () => {
    const first = JSON.parse(readFileSync(new URL('1.json', folder), 'utf8'))
    const reading = async (files: Record<string, unknown>) => {
      const made = await mkdtemp(join(tmpdir(), 'atom-test-policy-'))
      try {
        for (const [name, value] of Object.entries(files)) await writeFile(join(made, name), JSON.stringify(value))
        return readPolicies(pathToFileURL(`${made}/`)).length
      } catch (error) {
        return (error as Error).message
      } finally {
        await rm(made, { recursive: true })
      }
    }
    const conditions = (change: object) => ({ ...first, conditions: { ...first.conditions, ...change } })
    const cases: [string, Record<string, unknown>, string][] = [
      ['no version', {}, 'there is no policy'],
      ['a gap', { '1.json': first, '3.json': { ...first, version: 3 } }, '1, 3'],
      ['a file that is none', { '1.json': first, 'draft.json': first }, 'NaN'],
      ['another number inside', { '1.json': { ...first, version: 2 } }, 'calls itself 2'],
      ['an unknown member', { '1.json': { ...first, extra: 1 } }, '/extra'],
      [
        'that what runs by itself needs no person (P-3)',
        { '1.json': conditions({ runs_unattended: 'allow' }) },
        '/conditions/runs_unattended',
      ],
      ['that a revoked signer counts', { '1.json': conditions({ signer_revoked: 'allow' }) }, '/conditions/signer'],
      [
        'that one person approves a critical finding',
        { '1.json': { ...first, approvals: { ...first.approvals, needed_for_critical: 1 } } },
        '/approvals/needed_for_critical',
      ],
    ]
    for (const [what, files, said] of cases)
      it(what, async () =>
        expect(await reading(files))
          .to.be.a('string')
          .that.contains(said),
      )

    it('nothing else: two whole versions are read', async () =>
      expect(await reading({ '1.json': first, '2.json': { ...first, version: 2 } })).to.equal(2))
  })
})
