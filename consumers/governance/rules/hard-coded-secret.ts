import type { Fact } from '../facts.ts'
import { masked } from '../masking.ts'
import { placeIn } from '../place.ts'
import { isSecretName } from '../secret-names.ts'
import { issuedSecrets, secretStrength } from '../secret-patterns.ts'
import type { Command, TextRange } from '../shell.ts'
import { invocation, wordsOf } from '../shell-commands.ts'
import type { Finding, Rule } from './rule.ts'

type Named = { name: string; value: string }

/** WPK-P1-001: a secret stands in clear in something that runs or is sent. */
export const hardCodedSecret: Rule = {
  id: 'WPK-P1-001',
  version: 1,
  name: 'hard-coded secret',
  severity: 'critical',
  about:
    'Values in the forms that issuers publish (tokens, private keys), and random-looking values under the name of a secret, in commands, environment, headers and manifests. References, ids, digests and stand-ins are silent. Messages show the first characters only.',
  remediation: 'Revoke the secret, keep the new one in Vault and refer to it by name.',
  hygiene: false,
  check: (view) => view.facts.flatMap(secretsOf),
}

function secretsOf(fact: Fact): Finding[] {
  const text = fact.bare
  const issued = issuedSecrets(text).map(
    ({ what, value, certain }): Finding => ({
      ...placeIn(fact, rangeIn(text, value)),
      severity: 'critical',
      confidence: certain ? 'high' : 'medium',
      message: `${what} in clear: ${masked(value)}`,
      matched: `${what} ${masked(value)}`,
    }),
  )
  // The form says more than the name: the same value is not reported twice.
  return issued.length > 0 ? issued : namedValues(fact).flatMap((named) => namedFinding(fact, named))
}

function namedFinding(fact: Fact, { name, value }: Named): Finding[] {
  if (!isSecretName(name)) return []
  const strength = secretStrength(value)
  if (strength === null) return []
  const shown = masked(value)
  return [
    {
      ...placeIn(fact, rangeIn(fact.bare, value)),
      severity: strength === 'strong' ? 'critical' : 'medium',
      confidence: strength === 'strong' ? 'medium' : 'low',
      message: `"${name.slice(0, 60)}" holds what looks like a ${strength === 'strong' ? 'secret' : 'password'} in clear: ${shown}`,
      matched: `${name} ${shown}`,
    },
  ]
}

function namedValues(fact: Fact): Named[] {
  if (fact.kind === 'url') return queryValues(fact.text)
  if (fact.kind === 'manifest' && /[\n=]/.test(fact.text))
    return [{ name: fact.name, value: fact.text }, ...settingLines(fact.text)]
  if (fact.kind !== 'command') return [{ name: fact.name, value: fact.text }]
  const fromShell = fact.pipelines.flat().flatMap(valuesOfCommand)
  const fromCode = fact.code.flatMap(({ text }) =>
    [...text.matchAll(/\b([A-Za-z_]\w{2,60})["']?\s{0,4}(?::|=>?)\s{0,4}["']([^"'\n]{6,300})["']/g)].map(
      ([, name = '', value = '']) => ({ name, value }),
    ),
  )
  return [...fromShell, ...fromCode]
}

const queryValues = (url: string): Named[] =>
  [...url.slice(0, 4000).matchAll(/[?&]([\w.-]{2,60})=([^&#\s]{6,400})/g)].map(([, name = '', value = '']) => ({
    name,
    value,
  }))

/** Lines of a configuration file inside a manifest: `db.password=...`, `token: ...`. */
const settingLines = (text: string): Named[] =>
  [
    ...text
      .slice(0, 50_000)
      .matchAll(/^[ \t]{0,40}["']?([\w.-]{2,60})["']?[ \t]{0,4}[:=][ \t]{0,4}["']?([^\s"'#]{6,300})/gm),
  ].map(([, name = '', value = '']) => ({ name, value }))

function valuesOfCommand(command: Command): Named[] {
  const { name, args } = invocation(command)
  const texts = args.map((word) => word.text)
  const values: Named[] = wordsOf(command).flatMap((word) =>
    pair(word.text, /^(?:-{1,2})?([\w.-]{2,60})\+?=(.{4,4000})$/s),
  )
  texts.forEach((text, index) => {
    const next = texts[index + 1] ?? ''
    if (/^--[\w-]{3,40}$/.test(text)) values.push({ name: text.slice(2), value: next })
    else if (/^-p$/.test(text) && (name === 'sshpass' || texts.includes('login')))
      values.push({ name: 'password', value: next })
    else if (/^-p.{4,80}$/s.test(text) && /^(?:mysql|mysqldump|mysqladmin|mariadb|sshpass)$/.test(name))
      values.push({ name: 'password', value: text.slice(2) })
    else if (/^(?:-H|--header)$/.test(text)) values.push(...pair(next, /^([\w-]{2,60}):\s{0,4}(.{4,4000})$/s))
    else if (/^(?:-u|--user)$/.test(text) && name === 'curl')
      values.push(...pair(`password:${next}`, /^(password):[^:]{0,100}:(.{4,200})$/s))
  })
  return values
}

function pair(text: string, pattern: RegExp): Named[] {
  const found = pattern.exec(text)
  return found?.[1] === undefined || found[2] === undefined ? [] : [{ name: found[1], value: found[2] }]
}

// The message masks the secret; its place does not give it away.
const rangeIn = (text: string, value: string): TextRange | null => {
  const start = text.indexOf(value)
  return start === -1 ? null : { start, end: start + value.length }
}
