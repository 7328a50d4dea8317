import { httpError } from '../../../platform/http/errors.ts'
import { reasonTemplates } from '../policy/reason-templates.ts'
import type { VersionRow } from '../version-row.ts'

type Given = { decision: string; justification?: string; template?: string }

/**
 * Why it was decided so: the text of the template, the reviewer's own words, or one after the other. Throws 400 for
 * neither, and for a template of another decision or of a rule that found nothing in this version.
 */
export function justificationOf({ decision, justification, template: id }: Given, version: VersionRow): string {
  if (id === undefined) {
    if (justification === undefined) throw refused('', 'required', 'needs `justification` or `template`')
    return justification
  }
  const template = reasonTemplates.find((one) => one.id === id)
  if (!template) throw refused('/template', 'unknown_template', 'is no template of GET /reviews/templates')
  if (!(template.decisions as string[]).includes(decision))
    throw refused('/template', 'template_decision', `is for ${template.decisions.join(' or ')}, not ${decision}`)
  const { rule } = template
  if (rule !== null && !version.verdict?.violations.some(({ rule_id }) => rule_id === rule))
    throw refused('/template', 'template_rule', `answers ${rule}, which found nothing in this version`)
  return justification === undefined ? template.text : `${template.text}\n\n${justification}`
}

const refused = (pointer: string, code: string, detail: string) =>
  httpError('body_malformed', `${pointer || 'the body'} ${detail}`, { errors: [{ pointer, code, detail }] })
