import type { PackageView } from '../package-view.ts'
import { isSecretName } from '../secret-names.ts'
import { secretVariable } from '../sensitive-sources.ts'
import type { Call, CodePattern } from './matching.ts'
import { findingAt, inCode, inCommands, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

const WORDS = 'SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_KEY|API_?KEY|CREDENTIAL'
const CODE: readonly CodePattern[] = [
  {
    pattern: new RegExp(
      String.raw`\b(?:print|console\.(?:log|info|error)|puts|logger\.\w{1,10}|logging\.\w{1,10})\b\s{0,3}\(?[^\n;]{0,120}(?:os\.environ|os\.getenv|process\.env|ENV\[)[^\n;]{0,20}(?:${WORDS})`,
    ),
    sign: sign('a secret of the environment is printed', 'high', 'medium'),
  },
]

/** WPK-P1-002: a secret ends up where a run writes, which more people read than may know it. */
export const secretToOutput: Rule = {
  id: 'WPK-P1-002',
  version: 1,
  name: 'secret to output',
  severity: 'high',
  about:
    'A variable with the name of a secret that `echo`, `printf` or a print statement writes to the output of the run, and `set -x` before commands that take one. A secret that is piped on, captured or redirected into a file is silent.',
  remediation: 'Do not print it; hand it on by standard input or by a file that only the reader may open.',
  hygiene: false,
  check: (view) => [...inCommands(view, judge), ...inCode(view, CODE), ...traced(view)],
}

function judge(call: Call) {
  const { name, args, command, pipeline, index } = call
  if (
    name === 'printenv' &&
    !command.captured &&
    args.length === 1 &&
    isSecretName(args[0] ?? '') &&
    index === pipeline.length - 1 &&
    command.redirects.length === 0
  )
    return sign('a secret is printed', 'high', 'medium')
  if (!/^(?:echo|printf|print)$/.test(name) || command.captured) return null
  const last = pipeline
    .slice(index + 1)
    .every(
      (one) =>
        /^(?:base64|base32|xxd|od|rev|cat|fold|cut|tr)$/.test(one.words[0]?.text ?? '') && one.redirects.length === 0,
    )
  const written = command.redirects.some(
    ({ op, target }) => /^1?>/.test(op) && !/^(?:&|\/dev\/std|[12]$)/.test(target.text),
  )
  if (!last || written) return null
  if (args.some((text) => /^::add-mask::[^$]{4}/.test(text)))
    return sign('a secret to be masked stands in the text', 'high', 'medium')
  // A test whether it is set, or a mask, shows nothing.
  const shown = args.find((text) => secretVariable(text) !== null && !/::add-mask::|\$\{[A-Za-z_]\w*:?[+?]/.test(text))
  return shown === undefined ? null : sign('a secret is printed', 'high', 'medium')
}

/** `set -x` prints every command that follows, with its arguments, until `set +x`. */
function traced(view: PackageView): Finding[] {
  return view.facts.flatMap((fact) => {
    let tracing = false
    for (const { words } of fact.pipelines.flat()) {
      const texts = words.slice(1).map(({ text }) => text)
      if (words[0]?.text === 'set') {
        if (texts.some((text) => /^-[a-z]*x/.test(text))) tracing = true
        if (texts.some((text) => /^\+[a-z]*x/.test(text))) tracing = false
      } else if (tracing && texts.some((text) => secretVariable(text) !== null)) {
        const text = words.map((word) => word.text).join(' ')
        return [findingAt(fact, sign('a traced command takes a secret', 'medium', 'low'), text)]
      }
    }
    return []
  })
}
