import { codeWords } from '../downloads.ts'
import type { Fact } from '../facts.ts'
import { excerpt } from '../masking.ts'
import { placeIn } from '../place.ts'
import type { TextRange } from '../shell.ts'
import { commandText } from '../shell-commands.ts'
import type { Finding, Rule } from './rule.ts'

const EXPRESSION = /\$\{\{([^{}]{1,400})\}\}|\$\{([a-zA-Z][\w]{0,40}[.[][^{}]{1,200})\}|\{\{([^{}]{1,300})\}\}/g
// Fields of an event that whoever caused it may fill as they like.
const WRITTEN_BY_SENDER =
  /github\.event\.(?!release\.|repository\.|sender\.|inputs\.)(?:[\w*[\]'"]{1,40}\.){0,5}(?:title|body|message|description|label|head_branch|display_title|page_name|email|name|ref)\b|github\.event\.client_payload\b|github(?:\.head_ref\b|\[\s?['"]head_ref['"]\s?\])|github\.event\.[\w.]{0,60}head\.(?:ref|label)\b|\bsteps\.[\w-]{0,40}changed[\w-]{0,20}\.outputs\.|\bgithub\.event\.comment\b/
const TEMPLATE_OF_EVENT = /^\s?\$?\.?(?:json|event|trigger|payload|webhook|request|alert|message)(?:\.|\[)/i
const GIVEN_AT_START = /^\s?(?:github\.event\.inputs\.|inputs\.)(?!parameters|artifacts)/
const NUMBER_OR_ID = /(?:number|[._]id|sha|count|timestamp|_at|run_id|run_number|node_id|size)['"\]\s]*$/i
const INPUT_VARIABLE = /\$\{?[A-Z_]{0,30}(?:INPUT|EVENT|PAYLOAD|BODY|COMMENT|TITLE|MESSAGE|REQUEST|QUERY)[A-Z_]{0,30}\b/

/** WPK-P3-003: text from outside is pasted into a command before the shell reads it. */
export const commandInjection: Rule = {
  id: 'WPK-P3-003',
  version: 1,
  name: 'command injection',
  severity: 'high',
  about:
    'Text that whoever caused the event may choose (titles, branch names, payloads) pasted into a command before the shell reads it, and event variables handed to `eval` or `sh -c`. Numbers and ids are silent, and so is a value passed by environment and quoted.',
  remediation: 'Pass the value in an environment variable and quote it where it is used.',
  hygiene: false,
  check: (view) =>
    view.facts.filter((fact) => fact.kind === 'command').flatMap((fact) => [...pasted(fact), ...evaluated(fact)]),
}

function pasted(fact: Fact): Finding[] {
  const found: Finding[] = []
  for (const match of fact.bare.matchAll(EXPRESSION)) {
    const [whole, action, dotted, template] = match
    const range = { start: match.index, end: match.index + whole.length }
    const expression = action ?? dotted ?? template ?? ''
    if (NUMBER_OR_ID.test(expression)) continue
    if (action !== undefined && WRITTEN_BY_SENDER.test(expression)) found.push(finding(fact, whole, 'high', range))
    else if (action === undefined && TEMPLATE_OF_EVENT.test(expression))
      found.push(finding(fact, whole, 'medium', range))
    else if (action !== undefined && GIVEN_AT_START.test(expression)) {
      found.push({ ...finding(fact, whole, 'low', range), severity: 'medium' })
    }
    if (found.length >= 20) break
  }
  return found
}

const evaluated = (fact: Fact): Finding[] =>
  fact.pipelines.flat().flatMap((command) => {
    const word = codeWords(command).find(({ text }) => INPUT_VARIABLE.test(text) && !text.includes('\n'))
    return word === undefined ? [] : [finding(fact, commandText(command), 'medium', command.range)]
  })

const finding = (
  fact: Fact,
  text: string,
  confidence: 'high' | 'medium' | 'low',
  range: TextRange | null,
): Finding => ({
  ...placeIn(fact, range),
  severity: 'high',
  confidence,
  message: `text from outside becomes part of a command: ${excerpt(text)}`,
  matched: text,
})
