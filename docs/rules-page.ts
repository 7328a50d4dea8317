import { ALL_RULES, ORIGIN_RULES } from '../consumers/governance/rules/index.ts'

const POLICIES: Record<string, string> = {
  '1': 'P-1 personal data and secrets',
  '2': 'P-2 origin',
  '3': 'P-3 safe runs',
  '4': 'P-4 monitoring',
  '5': 'P-5 tenants and rights',
  '6': 'P-6 speed',
}
const policyOf = (id: string): string => POLICIES[id.slice(5, 6)] ?? ''

/** The page of the governance rules: what each file in `consumers/governance/rules/` says of itself. */
export function ruleLines(): string[] {
  return [
    'What `POST /analyze` and the check of an upload look for. Severity says how bad it is, confidence how sure the rule is; a finding may weigh less than its rule. Rules for hygiene advise: they never hold a package by themselves. Comments, descriptions, labels and tags never count.',
    '',
    '| rule | finds | policy | severity | hygiene |',
    '|---|---|---|---|---|',
    ...ALL_RULES.map(
      ({ id, name, severity, hygiene }) =>
        `| [${id}](#${id.toLowerCase()}) | ${name} | ${policyOf(id)} | ${severity} | ${hygiene ? 'yes' : ''} |`,
    ),
    '',
    `${ORIGIN_RULES.map(({ id }) => id).join(', ')} judge what the marketplace found of an upload, because the bytes do not say it. On bare content they are named as not run.`,
    ...ALL_RULES.flatMap(({ id, name, about, remediation, version }) => [
      '',
      `## ${id}`,
      '',
      `**${name[0]?.toUpperCase()}${name.slice(1)}** (version ${version}).`,
      '',
      about,
      '',
      `**What to do.** ${remediation}`,
    ]),
  ]
}
