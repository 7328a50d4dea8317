import type { Fact } from '../facts.ts'
import type { Call, CodePattern } from './matching.ts'
import { inCode, inCommands, inFields, isOn, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const RUNNER_FILE = /GITHUB_(?:ENV|PATH)\b|\bBASH_ENV\b/
const FROM_OUTSIDE =
  /\$\{\{\s{0,4}(?:github\.event\.|github\.head_ref|steps\.[\w-]{1,40}\.outputs\.|inputs\.)|\$\{?(?:PR_|TITLE|BODY|COMMENT|BRANCH_NAME|HEAD_REF)/
const INPUT = String.raw`(?:input\(|raw_input\(|sys\.argv|gets\b|params\[|request\.(?:args|form|body|query|json|params|GET|POST)|req\.(?:body|query|params)|process\.argv|\$_(?:GET|POST|REQUEST)|STDIN\.read|sys\.stdin)`
const EVAL = String.raw`(?<![\w$])(?<!(?<!Kernel|binding|globalThis|window|builtins)\.)(?:eval|exec|instance_eval|class_eval|Function|vm\.runIn\w{1,20}|os\.system|os\.popen|subprocess\.\w{1,16}|child_process\.exec\w{0,8}|execSync|system|popen|shell_exec|passthru)\s{0,2}\(`
const CODE: readonly CodePattern[] = [
  {
    pattern: new RegExp(String.raw`${EVAL}\s{0,4}[^\n)]{0,60}${INPUT}`),
    sign: sign('input is executed', 'high', 'high'),
  },
  {
    pattern:
      /\bpickle\.loads?\(|\bmarshal\.loads?\(|\byaml\.(?:load|unsafe_load)\((?![^\n)]{0,120}(?:Safe|safe))|\bMarshal\.load\(|\bunserialize\(\s?\$_|node-serialize/,
    sign: sign('data are read in a form that may run code', 'medium', 'low'),
  },
  // Not a text and not a call of the program itself: what runs is known only when it runs.
  {
    pattern: /(?<![\w.])(?:eval|exec)\(\s{0,4}(?![\w.]{0,40}\()(?!["'`])[a-zA-Z_][\w.]{0,60}\s{0,4}[),]/,
    languages: ['python', 'ruby', 'php'],
    sign: sign('a text made at run time is executed', 'medium', 'low'),
  },
  {
    pattern: /(?<![\w.])eval\(\s{0,4}(?!["'`])[a-zA-Z_$][\w.$]{0,60}\s{0,4}\)/,
    languages: ['node'],
    sign: sign('a text made at run time is executed', 'medium', 'low'),
  },
  {
    pattern:
      /\bclass\s+\w{1,60}\(\s?(?:install|develop|egg_info|build_py|sdist|bdist_egg)\s?\)[\s\S]{0,600}?\bdef run\([\s\S]{0,600}?\b(?:os\.(?:system|popen)|subprocess\.\w{1,16}|exec|eval|urlopen|requests\.\w{1,8})\(/,
    languages: ['python'],
    sign: sign('an install step starts programs', 'high', 'medium'),
  },
  {
    pattern: /\bcmdclass\s?=\s?\{[^}]{0,400}["'](?:install|develop|egg_info)["']\s?:/,
    languages: ['python'],
    sign: sign('an install step is replaced by own code', 'medium', 'low'),
  },
  {
    pattern: /["'](?:pre|post)?install["']\s?:\s?["'][^"'\n]{0,200}\b(?:curl|wget|node -e|bash|sh)\b/,
    sign: sign('an install step starts programs', 'high', 'medium'),
  },
]

/** WPK-P3-014: a feature of the runner or language turns data into code. */
export const unsafeRuntimeFeature: Rule = {
  id: 'WPK-P3-014',
  version: 1,
  name: 'unsafe runtime feature',
  severity: 'high',
  about:
    'Workflow commands that were withdrawn as unsafe, data from outside written into the environment or path of later steps, debug output of a runner, code that evaluates its input or what it made at run time, install steps that start programs, forms of data that may hold code. A constant written to `$GITHUB_ENV` is silent.',
  remediation: 'Take the switch off; read input as data.',
  hygiene: false,
  check: (view) => [
    ...inFields(view, ofField),
    ...inCommands(view, judge),
    ...inCode(view, CODE),
    ...inputFlows(view.facts),
  ],
}

function ofField({ name, text, kind }: Fact) {
  if (kind !== 'env' && kind !== 'string') return null
  if (name === 'ACTIONS_ALLOW_UNSECURE_COMMANDS' && isOn(text))
    return sign('workflow commands that are unsafe are allowed', 'high', 'high')
  return /^ACTIONS_(?:STEP|RUNNER)_DEBUG$/.test(name) && isOn(text)
    ? sign('debug output of the runner is on', 'medium', 'low')
    : null
}

function judge({ name, args, command, fact, pipeline }: Call) {
  const setting = [...command.assignments.map(({ text }) => text), ...(name === 'export' ? args : [])].join(' ')
  if (/ACTIONS_ALLOW_UNSECURE_COMMANDS=(?:true|1)/.test(setting))
    return sign('workflow commands that are unsafe are allowed', 'high', 'high')
  if (/^(?:echo|printf)$/.test(name) && args.some((text) => /^::(?:set-env|add-path)\b/.test(text)))
    return sign('an unsafe workflow command is used', 'high', 'medium')
  const files = pipeline.flatMap((one) => [
    ...one.redirects.map(({ target }) => target.text),
    ...(one.words[0]?.text === 'tee' ? one.words.map(({ text }) => text) : []),
  ])
  if (!files.some((text) => RUNNER_FILE.test(text))) return null
  const data = [...args, command.heredoc ?? ''].some((text) => FROM_OUTSIDE.test(text)) || /^(?:curl|wget)$/.test(name)
  return data && fact.handler >= 0
    ? sign('data from outside become environment of later steps', 'high', 'medium')
    : null
}

/** `cmd = params[:cmd]` and later `eval(cmd)`. */
function inputFlows(facts: readonly Fact[]) {
  const fills = new RegExp(String.raw`\b([A-Za-z_]\w{0,60})\s{0,4}=\s{0,4}[^\n=]{0,60}${INPUT}`, 'g')
  const runs = new RegExp(String.raw`${EVAL}\s{0,4}([A-Za-z_]\w{0,60})`, 'g')
  return facts.flatMap((fact) =>
    fact.code.flatMap(({ text }) => {
      const filled = new Set([...text.matchAll(fills)].map((match) => match[1] ?? ''))
      const run = [...text.matchAll(runs)].find((match) => filled.has(match[1] ?? ''))
      if (run === undefined) return []
      return [
        {
          pointer: fact.pointer,
          severity: 'high' as const,
          confidence: 'high' as const,
          message: `input is executed: ${run[0].slice(0, 120)}`,
          matched: run[0],
        },
      ]
    }),
  )
}
