import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { silentLog } from '../../platform/log.ts'
import { createCompliance, readPolicies } from '../../platform/policies.ts'
import { testClock } from '../support/clock.ts'
import { recordingLog } from '../support/recording-log.ts'
import { rejected } from '../support/rejected.ts'

describe('platform/policies', () => {
  const policies = [
    { id: 'P-1', title: 'One' },
    { id: 'P-2', title: 'Two' },
    { id: 'P-3', title: 'Three' },
  ]
  const fine = async () => ({ status: 'compliant' as const, detail: 'seen' })

  it('reads the six policies of the document that people read', async () => {
    const found = await readPolicies(new URL('../../docs/policies/POLICIES.md', import.meta.url))
    expect(found.map(({ id }) => id)).to.deep.equal(['P-1', 'P-2', 'P-3', 'P-4', 'P-5', 'P-6'])
    for (const { title } of found) expect(title).to.not.equal('')
  })

  it('refuses a document that names none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atom-test-policies-'))
    await writeFile(join(folder, 'empty.md'), '# Policies\n\nP-1 is mentioned, not stated.\n')
    await rejected(readPolicies(join(folder, 'empty.md')))
    await rm(folder, { recursive: true })
  })

  it('reports what each probe found; no probe, or a failing one, is a violation', async () => {
    const broken = async () => {
      throw new Error('connect ENOENT /home/x/.s.PGSQL.5432')
    }
    const { log, lines } = recordingLog()
    const probes = { 'P-1': fine, 'P-2': broken }
    const compliance = createCompliance(policies, probes, testClock('2026-11-02T10:00:00Z'), log)
    expect(await compliance()).to.deep.equal([
      { id: 'P-1', status: 'compliant', detail: 'seen' },
      { id: 'P-2', status: 'violated', detail: 'the probe failed; the log says why' },
      { id: 'P-3', status: 'violated', detail: 'no probe checks this policy' },
    ])
    await compliance({ fresh: true })
    expect(lines.map(({ fields }) => fields)).to.deep.equal([
      { name: 'P-2', error: 'connect ENOENT /home/x/.s.PGSQL.5432' },
    ])
  })

  it('probes again only after 15 seconds', async () => {
    let asked = 0
    const clock = testClock('2026-11-02T10:00:00Z')
    const counting = async () => ({ status: 'compliant' as const, detail: String(++asked) })
    const compliance = createCompliance(policies.slice(0, 1), { 'P-1': counting }, clock, silentLog)
    await Promise.all([compliance(), compliance()])
    clock.advance(15_000)
    await compliance()
    expect(asked).to.equal(1)
    clock.advance(1)
    expect((await compliance())[0]?.detail).to.equal('2')
  })

  it('probes at once when asked for a fresh finding, and remembers that one', async () => {
    let asked = 0
    const counting = async () => ({ status: 'compliant' as const, detail: String(++asked) })
    const compliance = createCompliance(
      policies.slice(0, 1),
      { 'P-1': counting },
      testClock('2026-11-02T10:00:00Z'),
      silentLog,
    )
    await compliance()
    expect((await compliance({ fresh: true }))[0]?.detail).to.equal('2')
    expect((await compliance())[0]?.detail).to.equal('2')
  })

  it('does not wait for a probe that hangs', async () => {
    const hanging = () => new Promise<never>(() => {})
    const compliance = createCompliance(
      policies.slice(0, 1),
      { 'P-1': hanging },
      testClock('2026-11-02T10:00:00Z'),
      silentLog,
    )
    expect((await compliance())[0]).to.include({ status: 'violated', detail: 'the probe did not answer in time' })
  }).timeout(5_000)
})
