import { readFileSync } from 'node:fs'
import { type Static, Type } from '@sinclair/typebox'
import { faultsOf } from '../../../platform/http/validate.ts'
import { closed } from '../../../schemas/envelope.ts'
import { ReviewDecision } from '../../../schemas/events/wpk.reviewed.ts'

const ReasonTemplate = closed({
  id: Type.String({ pattern: '^[a-z]+(-[a-z]+)*$' }),
  /** The rule whose finding it answers; null: any package. */
  rule: Type.Union([Type.String({ pattern: '^WPK-P[1-6]-[0-9]{3}$' }), Type.Null()]),
  decisions: Type.Array(ReviewDecision, { minItems: 1, uniqueItems: true }),
  title: Type.String({ minLength: 1 }),
  text: Type.String({ minLength: 1, maxLength: 1_000 }),
})
export type ReasonTemplate = Static<typeof ReasonTemplate>
const File = closed({ templates: Type.Array(ReasonTemplate) })

/** Reasons in the words that publishers can act on, by id. The text is copied into the decision that uses it. */
export const reasonTemplates: readonly ReasonTemplate[] = readTemplates()

function readTemplates(): ReasonTemplate[] {
  const file: unknown = JSON.parse(readFileSync(new URL('./reason-templates.json', import.meta.url), 'utf8'))
  const [fault] = faultsOf(File, file)
  if (fault) throw new Error(`reason-templates.json: ${fault.pointer} ${fault.detail}`)
  const templates = (file as Static<typeof File>).templates.sort((a, b) => (a.id < b.id ? -1 : 1))
  const twice = templates.find(({ id }, index) => templates[index + 1]?.id === id)
  if (twice) throw new Error(`reason-templates.json: two templates are called ${twice.id}`)
  return templates
}
