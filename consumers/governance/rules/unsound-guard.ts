import type { Fact } from '../facts.ts'
import { inFields, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const GUARDS = /^(?:if|when|condition|job_condition|step_condition|only_if|unless|run_if)$/

/** WPK-P3-016: a guard that does not guard. */
export const unsoundGuard: Rule = {
  id: 'WPK-P3-016',
  version: 1,
  name: 'unsound guard',
  severity: 'medium',
  about:
    'Conditions that are always true because an expression stands in a longer text, comparisons with a constant result, checks of who caused the event instead of what it is, and `contains` where equality is meant. An expression alone, and status functions, are silent.',
  remediation: 'Write the condition as one expression, and compare for equality.',
  hygiene: false,
  check: (view) => inFields(view, ofField),
}

function ofField({ name, text }: Fact) {
  if (!GUARDS.test(name)) return null
  if (/\$\{\{/.test(text) && !/^\$\{\{(?:(?!\}\})[\s\S]){0,2000}\}\}$/.test(text)) {
    // A text that is not empty counts as true, whatever the expression in it says.
    return sign('the condition is a text and always true', 'medium', 'medium')
  }
  const plain = text.replace(/^\$\{\{\s*|\s*\}\}$/g, '').trim()
  if (/^(?:true|1|'true')$|(?:^|\|\|\s?)(?:(['"]?)(\w{1,20})\1)\s?==\s?\1\2\1$|\|\|\s?(?:true|always\(\))$/.test(plain))
    return sign('the condition is always true', 'medium', 'medium')
  if (/\bcontains\(\s?(?:'[^']{1,200}'|"[^"]{1,200}")\s?,/.test(plain))
    return sign('a part of a list is taken for a member', 'medium', 'medium')
  if (
    /\bcontains\(\s?github\.(?:event\.[\w.]{1,80}(?:title|body|message|ref|login|label)|head_ref|ref|actor)\b/.test(
      plain,
    )
  )
    return sign('a text that may contain the word is taken for it', 'medium', 'low')
  return /\bgithub\.(?:actor|triggering_actor)\s?==|==\s?github\.(?:actor|triggering_actor)\b/.test(plain)
    ? sign('who caused the event is taken for what it is', 'medium', 'low')
    : null
}
