import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { feedError } from '../consumers/feeds/errors.ts'
import { governanceError } from '../consumers/governance/errors.ts'
import { creditError } from '../consumers/metering/credits/errors.ts'
import { billingError } from '../consumers/metering/errors.ts'
import { paymentError } from '../consumers/metering/payments/errors.ts'
import { settingDefinitions } from '../deploy/settings.ts'
import { authError } from '../platform/auth/errors.ts'
import type { ErrorDefinition } from '../platform/errors.ts'
import { httpError } from '../platform/http/errors.ts'
import { keyError } from '../platform/keys/errors.ts'
import { envExample } from '../platform/settings.ts'
import { dataError } from '../producers/data/errors.ts'
import { marketplaceError } from '../producers/marketplace/errors.ts'
import { recordCodes, usageError } from '../producers/usage/errors.ts'
import { eventTypes } from '../schemas/index.ts'
import { faultText, fileOf, fileText, type PublishedSchema, unpublished, versionFaults } from '../schemas/versions.ts'
import { asyncapi } from './asyncapi.ts'
import { eventLines } from './events-page.ts'
import { publishedSchemas, VERSIONS } from './published-schemas.ts'
import { ruleLines } from './rules-page.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const MADE_BY = 'Made by `npm run docs` from the code; do not edit by hand.'

/** Pages that say what the code says, by path. `npm run docs` writes them, `npm run docs:check` compares. */
export function referencePages(): Record<string, string> {
  const onFile = publishedSchemas()
  const added = unpublished(eventTypes, onFile)
  return {
    // Only files that are not there yet: what was published stays as it was written.
    ...Object.fromEntries(added.map((one) => [`${VERSIONS}/${fileOf(one)}`, fileText(one)])),
    'env.example': envExample(settingDefinitions),
    'docs/reference/settings.md': settingsPage(),
    'docs/reference/errors.md': errorsPage(),
    'docs/reference/events.md': eventsPage([...onFile, ...added]),
    'docs/reference/rules.md': page('Governance rules', ruleLines()),
    'docs/reference/asyncapi.json': `${JSON.stringify(asyncapi(version), null, 2)}\n`,
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
    ['marketplace', { ...marketplaceError.definitions, ...keyError.definitions }],
    ['governance', governanceError.definitions],
    ['usage', usageError.definitions],
    ['billing', { ...billingError.definitions, ...creditError.definitions, ...paymentError.definitions }],
    ['feed and webhooks', feedError.definitions],
    ['data', dataError.definitions],
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

const eventsPage = (onFile: readonly PublishedSchema[]): string =>
  page('Topics and events', eventLines(onFile)).trimEnd().concat('\n')

const page = (title: string, lines: readonly string[]): string => `# ${title}\n\n${MADE_BY}\n\n${lines.join('\n')}\n`

async function main(check: boolean): Promise<void> {
  const faults = versionFaults(eventTypes, publishedSchemas())
  if (faults.length > 0) {
    process.stderr.write(
      `${faults.map(faultText).join('\n')}\nmake it a new version instead: docs/adr/0007-schemas-evolve.md\n`,
    )
    process.exit(1)
  }
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

if (process.argv[1] === fileURLToPath(import.meta.url))
  main(process.argv.includes('--check')).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  })
