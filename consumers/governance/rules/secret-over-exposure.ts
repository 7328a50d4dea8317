import { senderOf } from '../senders.ts'
import type { Call, CodePattern } from './matching.ts'
import { findingAt, inCode, inCommands, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const ALL_SECRETS =
  /toJSON\(\s{0,4}secrets\s{0,4}\)|\$\{\{\s{0,4}secrets\s{0,4}\}\}|\bsecrets\[\s{0,4}(?!['"])[^\]]{1,80}\]/i
const CODE: readonly CodePattern[] = [
  {
    pattern: /\bJSON\.stringify\(\s?process(?:\.env|\[["']env["']\])\s?[),]/,
    sign: sign('the whole environment is turned into text', 'high', 'medium'),
  },
  {
    pattern:
      /\b(?:json\.dumps|str|repr|print|pprint|write)\(\s?(?:dict\(\s?)?os\.environ(?:\.copy\(\)|\.items\(\))?\s?\)|\bENV\.to_(?:h|a|hash)\b[^\n]{0,20}(?:to_json|inspect)|\b(?:puts|p)\s+ENV\b(?!\s{0,2}[.[])|print_r\(\s?\$_ENV|Object\.(?:entries|values)\(\s?process\.env\s?\)/,
    sign: sign('the whole environment is turned into text', 'high', 'medium'),
  },
]

/** WPK-P1-003: more secrets are handed over than the step needs. */
export const secretOverExposure: Rule = {
  id: 'WPK-P1-003',
  version: 1,
  name: 'secret over-exposure',
  severity: 'high',
  about:
    'All secrets passed at once (`toJSON(secrets)`, `secrets: inherit`, a name computed at run time) and the whole environment written to a file or turned into text. One named secret, and an environment that is filtered, are silent.',
  remediation: 'Name the one secret that the step needs.',
  hygiene: false,
  check: (view) => [
    ...view.facts
      .filter(({ bare, name, text }) => ALL_SECRETS.test(bare) || (name === 'secrets' && text === 'inherit'))
      .map((fact) =>
        findingAt(
          fact,
          sign('more than the needed secrets are passed', 'high', 'high'),
          ALL_SECRETS.exec(fact.bare)?.[0] ?? 'secrets: inherit',
        ),
      ),
    ...inCommands(view, judge),
    ...inCode(view, CODE),
  ],
}

function judge({ name, args, command, pipeline, index }: Call) {
  const dumps =
    ((name === 'env' || name === 'printenv') && args.length === 0) || (name === 'export' && args[0] === '-p')
  if (!dumps || command.captured) return null
  const rest = pipeline.slice(index)
  if (rest.some((one) => /^(?:grep|egrep|awk|sed|cut|wc|xargs|envsubst|jq)$/.test(one.words[0]?.text ?? '')))
    return null
  const kept = rest.some(({ redirects }) =>
    redirects.some(({ op, target }) => /^1?>/.test(op) && target.text !== '/dev/null'),
  )
  const leaves = rest.some((one) => senderOf(one) !== null)
  return kept || leaves
    ? sign('the whole environment is written down or sent', 'high', 'medium')
    : sign('the whole environment is printed', 'medium', 'low')
}
