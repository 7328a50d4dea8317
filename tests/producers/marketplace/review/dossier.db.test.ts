import { expect } from 'chai'
import type { LooseJson } from '../../../support/signed-forms.ts'
import { finding, openReviewing, type Reviewing } from './working.ts'

const SECRET = 'hunter2hunter2X9'

describe('producers/marketplace/review/dossier', () => {
  let market: Reviewing
  let first: string
  let second: string
  before(async () => {
    market = await openReviewing()
    const high = finding()
    market.plant('whole', 0.6, [high], ['network'])
    first = await market.inReview('whole', { command: 'curl https://old.example/a.sh' })
    await market.decide(first, {
      decision: 'approve',
      justification: 'Known host.',
      accept: [{ fingerprint: 'f'.repeat(64), expires_at: '2026-12-01T00:00:00Z', owner: 'ops', reason: 'fine' }],
    })
    await market.statusBecomes(first, 'published')
    market.plant(
      'whole',
      0.95,
      [
        finding({ severity: 'critical' }),
        finding({ rule_id: 'WPK-P1-001', pointer: '/spec/handlers/0/config/command' }),
      ],
      ['network', 'shell'],
    )
    second = await market.inReview('whole', {
      version: '1.1.0',
      command: `DB_PASSWORD=${SECRET} curl https://new.example:8443/b.sh https://old.example/`,
    })
    await market.post(`/wpk/${second}/messages`, market.tokens.demo, { text: 'It installs the agent.' })
  })
  after(() => market.close())

  const dossier = async (id: string, as = market.tokens.reviewer) =>
    (await market.call<LooseJson>('GET', `/reviews/${id}`, { as })).body

  it('says what is found at its place, with secrets masked wherever they stand', async () => {
    const body = await dossier(second)
    expect(JSON.stringify(body)).to.not.contain(SECRET)
    expect(body.findings).to.have.length(2)
    expect(body.findings[0]).to.include({ rule_id: 'WPK-P3-005', pointer: '/spec/handlers/0/config/command' })
    expect(body.findings[0].value).to.contain('curl').and.contain('***')
  })

  it('compares with the version that a person approved last: changes, hosts, capabilities', async () => {
    const body = await dossier(second)
    expect(body.compared_to).to.include({ id: first, version: '1.0.0', status: 'published' })
    expect(body.diff.truncated).to.equal(false)
    const changed = body.diff.changes.map(({ op, pointer }: LooseJson) => [op, pointer])
    expect(changed).to.deep.equal([
      ['replace', '/metadata/version'],
      ['replace', '/spec/handlers/0/config/command'],
    ])
    expect(body.added).to.deep.equal({ capabilities: ['shell'], hosts: ['new.example'], permissions: [], images: [] })
  })

  it('says who signed, how it was decided before, what is accepted, what was said, and which reasons fit', async () => {
    const body = await dossier(second)
    expect(body.signer).to.include({
      kind: 'key',
      key_id: market.keys.demo.keyId,
      counts: true,
      revoked_at: null,
      first_seen: '2026-11-02T10:00:00.000Z',
      versions_signed: 2,
      published: 1,
      rejected: 0,
      blocked: 0,
    })
    expect(body.similar_decisions).to.have.length(1)
    expect(body.similar_decisions[0]).to.deep.include({
      ...{ version_id: first, name: 'whole', version: '1.0.0', decision: 'approve', justification: 'Known host.' },
      ...{ approver: 'atom-reviewer@atom', policy_version: 1, rules: ['WPK-P3-005'] },
    })
    expect(body.accepted_findings[0]).to.include({ fingerprint: 'f'.repeat(64), owner: 'ops', confirmed: true })
    expect(body.thread.entries.map(({ kind, text }: LooseJson) => [kind, text])).to.deep.equal([
      ['version', 'Submitted.'],
      ['message', 'It installs the agent.'],
    ])
    const rules = new Set(body.templates.map(({ rule }: LooseJson) => rule))
    expect([...rules]).to.have.members([null, 'WPK-P3-005', 'WPK-P1-001'])
    expect(body).to.include({ approvals: 0, approvals_needed: 2, status: 'in_review', safety_mode: 'manual' })
  })

  it('shows of a first version all it reaches, and nothing to compare with', async () => {
    const body = await dossier(await market.inReview('alone', { command: 'wget ftp://a.example/x' }))
    expect(body).to.include({ compared_to: null, diff: null })
    expect(body.added.hosts).to.deep.equal(['a.example'])
    expect(body.similar_decisions).to.deep.equal([])
  })

  it('is of reviewers, and of versions that exist', async () => {
    for (const [id, as, status] of [
      [second, market.tokens.demo, 403],
      [second, market.tokens.admin, 403],
      ['0192f6a0-0000-7000-8000-000000000001', market.tokens.reviewer, 404],
      ['x', market.tokens.reviewer, 404],
    ] as const)
      expect((await market.call('GET', `/reviews/${id}`, { as })).status, id).to.equal(status)
  })
})
