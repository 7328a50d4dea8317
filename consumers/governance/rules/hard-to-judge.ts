import { isReadable, MOST_TEXT } from '../code/tokens.ts'
import { UNREAD } from '../facts.ts'
import type { PackageView } from '../package-view.ts'
import { isTooMuch } from '../shell.ts'
import type { Language } from '../shell-commands.ts'
import { findingAt, sign } from './matching.ts'
import { type Finding, firstOf, type Rule } from './rule.ts'

const MOST_HANDLERS = 100
const MOST_FACTS = 10_000
const LONGEST_COMMAND = 100_000
// Of code in a language that is only searched by pattern.
const LONGEST_LINE = 200
const LONGEST_RUN_S = 24 * 3600

/** WPK-P6-001: too large, too deep or too long to be judged or run with care. */
export const hardToJudge: Rule = {
  id: 'WPK-P6-001',
  version: 3,
  name: 'oversized or slow to judge',
  severity: 'medium',
  about:
    'More than 100 handlers, commands over 100 kB, with more than 5,000 parts or nested deeper than they are read, manifests of more than 500 documents, scripts in Ruby, Perl, PHP and languages that are not known here (single lines of them are searched by pattern and silent), Python, JavaScript and PowerShell over 50 kB, timeouts and attempts that add up to more than a day, a schedule of each minute. Forty handlers in 60 kB are silent. A document over the size, depth or alias limits is refused before any rule sees it.',
  remediation:
    'Split the package, and write scripts in a language that is read: shell, Python, JavaScript or PowerShell.',
  hygiene: false,
  check: (view) => [...sizes(view), ...unreadCode(view), ...times(view)],
}

const finding = (pointer: string, message: string, confidence: Finding['confidence']): Finding => ({
  pointer,
  severity: 'medium',
  confidence,
  message,
  matched: message,
})

function sizes({ wpk, facts }: PackageView): Finding[] {
  const found: Finding[] = []
  if (wpk.spec.handlers.length > MOST_HANDLERS)
    found.push(finding('/spec/handlers', `the package has ${wpk.spec.handlers.length} handlers`, 'medium'))
  else if (facts.length > MOST_FACTS)
    found.push(finding('/spec/handlers', `the package has ${facts.length} values`, 'medium'))
  const unread = firstOf(
    facts,
    ({ kind, text }) => kind === 'command' && (text.length > LONGEST_COMMAND || isTooMuch(text)),
  )
  const more = firstOf(facts, ({ name, kind }) => kind === 'manifest' && name === UNREAD)
  return [
    ...found,
    ...more.map(({ pointer }) => finding(pointer, 'the manifest has more documents than are read', 'high')),
    ...unread.map((fact) =>
      findingAt(
        fact,
        sign('the command is too large, too long or too deep to be read', 'medium', 'high'),
        fact.text.slice(0, 200),
      ),
    ),
  ]
}

const LANGUAGE: Partial<Record<Language, string>> = {
  ruby: 'Ruby is searched by pattern only',
  perl: 'Perl is searched by pattern only',
  php: 'PHP is searched by pattern only',
  other: 'the language is not known here',
}

/** Code that nobody read call by call: one line of it is searched well enough, a script is for a person to see. */
const unreadCode = ({ facts }: PackageView): Finding[] =>
  facts.flatMap((fact) =>
    fact.code
      .filter(({ rewritten, text, language }) => {
        const long = text.replace(/\s+/g, ' ').length
        return rewritten !== true && (isReadable(language) ? long > MOST_TEXT : long > LONGEST_LINE)
      })
      .slice(0, 1)
      .map(({ text, language }) =>
        findingAt(
          fact,
          sign(
            `could not be judged fully, ${LANGUAGE[language] ?? 'it is longer than what is read'}`,
            'medium',
            'medium',
          ),
          text.slice(0, 200),
        ),
      ),
  )

function times({ wpk }: PackageView): Finding[] {
  const seconds = wpk.spec.handlers.reduce(
    (sum, { timeout, retry }) => sum + secondsOf(timeout) * Math.max(retry?.max_attempts ?? 1, 1),
    0,
  )
  const long =
    seconds > LONGEST_RUN_S
      ? [finding('/spec/handlers', `timeouts and attempts add up to ${Math.round(seconds / 3600)} hours`, 'low')]
      : []
  const often = (wpk.spec.triggers ?? []).flatMap(({ type, config }, index) =>
    type === 'schedule' && /^\s*\*(?:\/1)?\s+\*\s+\*\s+\*\s+\*\s*$/.test(String(config?.cron ?? config?.schedule ?? ''))
      ? [finding(`/spec/triggers/${index}`, 'the package runs each minute', 'low')]
      : [],
  )
  return [...long, ...often]
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }
function secondsOf(text: string | number | undefined): number {
  const [, number = '0', unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(String(text ?? '')) ?? []
  return Number(number) * (UNITS[unit] ?? 1)
}
