import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { governanceError } from '../consumers/governance/errors.ts'
import { billingError } from '../consumers/metering/errors.ts'
import { settingDefinitions } from '../deploy/settings.ts'
import { authError } from '../platform/auth/errors.ts'
import type { ErrorDefinition } from '../platform/errors.ts'
import { httpError } from '../platform/http/errors.ts'
import { envExample } from '../platform/settings.ts'
import { marketplaceError } from '../producers/marketplace/errors.ts'
import { recordCodes, usageError } from '../producers/usage/errors.ts'
import { eventTypes } from '../schemas/index.ts'
import { topicList } from '../schemas/topics.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const MADE_BY = 'Made by `npm run docs` from the code; do not edit by hand.'

/** Pages that say what the code says, by path. `npm run docs` writes them, `npm run docs:check` compares. */
export function referencePages(): Record<string, string> {
  return {
    'env.example': envExample(settingDefinitions),
    'docs/reference/settings.md': settingsPage(),
    'docs/reference/errors.md': errorsPage(),
    'docs/reference/events.md': eventsPage(),
  }
}

function settingsPage(): string {
  const rows = Object.values(settingDefinitions).map(
    ({ env, default: fallback, description }) =>
      `| \`${env}\` | ${fallback === '' ? '' : `\`${fallback}\``} | ${description} |`,
  )
  return page('Settings', ['| setting | default | meaning |', '|---|---|---|', ...rows])
}

function errorsPage(): string {
  const rooms: [string, Record<string, ErrorDefinition>][] = [
    ['every service', { ...authError.definitions, ...httpError.definitions }],
    ['marketplace', marketplaceError.definitions],
    ['governance', governanceError.definitions],
    ['usage', usageError.definitions],
    ['billing', billingError.definitions],
  ]
  const rows = rooms.flatMap(([room, definitions]) =>
    Object.entries(definitions).map(([code, { status, title }]) => `| \`${code}\` | ${status} | ${title} | ${room} |`),
  )
  const records = Object.entries(recordCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)
  return page('Error codes', [
    'Every failure is `application/problem+json` with one of these codes; `errors` points into what was sent.',
    '',
    '| code | status | title | where |',
    '|---|---|---|---|',
    ...rows,
    '',
    '## Codes of single usage records',
    '',
    'A report is answered 202 even when records of it are refused; `rejected` names each with its code.',
    '',
    '| code | meaning |',
    '|---|---|',
    ...records,
  ])
}

function eventsPage(): string {
  const lines = topicList.flatMap((topic) => [
    `## ${topic.name}`,
    '',
    `Key: ${topic.key}. ${topic.partitions} partitions, kept ${topic.retentionDays} days. Owner: ${topic.owner}.`,
    '',
    ...eventTypes
      .filter((type) => type.topic.name === topic.name)
      .flatMap(({ type, version, description, example }) => [
        `### ${type} (v${version})`,
        '',
        description,
        '',
        '```json',
        JSON.stringify(example, null, 2),
        '```',
        '',
      ]),
  ])
  return page('Topics and events', [
    'CloudEvents 1.0, binary mode: attributes are `ce_…` headers, the value is the data shown here.',
    '',
    ...lines,
  ])
    .trimEnd()
    .concat('\n')
}

const page = (title: string, lines: readonly string[]): string => `# ${title}\n\n${MADE_BY}\n\n${lines.join('\n')}\n`

async function main(check: boolean): Promise<void> {
  const stale: string[] = []
  for (const [path, text] of Object.entries(referencePages())) {
    const file = join(root, path)
    if (check) {
      if ((await readFile(file, 'utf8').catch(() => '')) !== text) stale.push(path)
      continue
    }
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  if (stale.length > 0) {
    process.stderr.write(`not as the code says: ${stale.join(', ')}; run \`npm run docs\`\n`)
    process.exit(1)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--check'))
