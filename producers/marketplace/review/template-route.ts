import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import { statusOfDecision } from '../lifecycle.ts'
import { reasonTemplates } from '../policy/reason-templates.ts'

/** GET /reviews/templates: those bound to `rule`, and those for any package; `decision` keeps those for one decision. */
export function templateRoute(): Route {
  async function handle({ query, path }: Call): Promise<Answer> {
    const { limit, after } = pageRequest(query, ['text'])
    const rule = query.get('rule')
    const decision = query.get('decision')
    if (decision !== null && !Object.hasOwn(statusOfDecision, decision))
      throw httpError('parameter_invalid', `\`decision\` is one of ${Object.keys(statusOfDecision).join(', ')}`)
    const found = reasonTemplates.filter(
      (one) =>
        (rule === null || one.rule === null || one.rule === rule) &&
        (decision === null || (one.decisions as string[]).includes(decision)) &&
        (after === null || one.id > (after[0] as string)),
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return { status: 200, headers: nextLink(path, query, next), body: { templates: items, next } }
  }
  const access = { roles: ['reviewer'] as const }
  return { method: 'GET', path: '/reviews/templates', summary: 'Reasons by rule and decision', access, handle }
}
