import { expect } from 'chai'
import { RULES } from '../../../../consumers/governance/rules/index.ts'
import { reasonTemplates } from '../../../../producers/marketplace/policy/reason-templates.ts'
import { finding, openReviewing, type Reviewing } from './working.ts'

type Listed = {
  templates: { id: string; rule: string | null; decisions: string[]; text: string }[]
  next: string | null
}

describe('producers/marketplace/review: reason templates', () => {
  let market: Reviewing
  before(async () => {
    market = await openReviewing()
    market.plant('judged', 0.6, [finding()])
  })
  after(() => market.close())
  const list = async (query: string) =>
    (await market.call<Listed>('GET', `/reviews/templates${query}`, { as: market.tokens.reviewer })).body
  const textOf = (id: string) => reasonTemplates.find((one) => one.id === id)?.text

  it('are bound to rules that exist', () => {
    const known = RULES.map(({ id }) => id)
    for (const { id, rule } of reasonTemplates) if (rule !== null) expect(known, id).to.include(rule)
  })

  it('are listed by rule and decision, with those for any package', async () => {
    const { templates } = await list('?rule=WPK-P3-005')
    expect(templates.map(({ id }) => id)).to.deep.equal([
      'name-too-similar',
      'read-whole',
      'reverse-shell',
      'unlike-description',
    ])
    expect((await list('?rule=WPK-P3-005&decision=approve')).templates.map(({ id }) => id)).to.deep.equal([
      'read-whole',
    ])
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: Listed = await list(`?limit=7${next ? `&cursor=${next}` : ''}`)
      seen.push(...page.templates.map(({ id }) => id))
      next = page.next
    }
    expect(seen).to.deep.equal(reasonTemplates.map(({ id }) => id))
  })

  it('give a decision its words, before the reviewer’s own, and are named in the record', async () => {
    const id = await market.inReview('judged')
    const json = { decision: 'reject', template: 'reverse-shell', justification: 'To 203.0.113.7.' }
    expect((await market.decide(id, json)).status).to.equal(200)
    const reason = `${textOf('reverse-shell')}\n\nTo 203.0.113.7.`
    expect(await market.statusBecomes(id, 'rejected')).to.include({ reason })
    const [made] = await market.owner(
      'select template, justification from marketplace.decisions where version_id = ?',
      [id],
    )
    expect(made).to.deep.equal({ template: 'reverse-shell', justification: reason })
    const next = await market.inReview('judged', { version: '1.0.1' })
    const alone = await market.call('POST', `/wpk/review/${next}`, {
      as: market.tokens.reviewer,
      json: { decision: 'approve', template: 'read-whole' },
    })
    expect(alone.status).to.equal(200)
    expect(await market.statusBecomes(next, 'published')).to.include({ reason: textOf('read-whole') })
  })

  it('are refused for another decision, or a rule that found nothing', async () => {
    const id = await market.inReview('judged', { version: '1.0.2' })
    for (const [decision, template, code] of [
      ['approve', 'reverse-shell', 'template_decision'],
      ['reject', 'secret-found', 'template_rule'],
      ['reject', 'none', 'unknown_template'],
    ]) {
      const { status, body } = await market.decide(id, { decision, template })
      expect([status, body.errors[0]?.pointer, body.errors[0]?.code]).to.deep.equal([400, '/template', code])
    }
  })
})
