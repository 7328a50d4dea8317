import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { checkout, request } from './running-system.ts'
import type { Context, Result, Section } from './section.ts'

const run_ = promisify(execFile)

export const sdk: Section = {
  id: 'E.2',
  page: 'E.2_sdk.md',
  title: 'SDKs',
  tests: ['tests/sdk/'],
  run,
}

const TYPESCRIPT = `import { listWorkflows, publishWPK } from './sdk/typescript/index.ts'
const published = await publishWPK('docs/examples/scale-web.json', process.env.TOKEN)
const names = new Set((await listWorkflows().toArray({ max: 500 })).map((one) => one.name))
console.log(JSON.stringify({ id: published.id, status: published.status, names: [...names].sort() }))`

const PYTHON = `import json, os
from atom_sdk import list_marketplace, publish_wpk
published = publish_wpk("docs/examples/scale-web.json", os.environ["TOKEN"])
print(json.dumps({"id": published["id"], "status": published["status"], "names": sorted({one["name"] for one in list_marketplace()})}))`

async function run({ home, orgs }: Context): Promise<Result> {
  const env = {
    ...process.env,
    MARKET_API: home.urls.marketplace,
    ATOM_BILLING_API: home.urls.billing,
    ATOM_SIGNING_KEY: orgs.demo.private_key_path,
    TOKEN: orgs.demo.api_key,
  }
  const answers: Record<string, unknown> = {}
  answers.typescript = await json(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', TYPESCRIPT], env)
  const python = await run_('python3', ['--version']).then(
    () => true,
    () => false,
  )
  answers.python = python
    ? await json('python3', ['-c', PYTHON], { ...env, PYTHONPATH: `${checkout}sdk/python` })
    : 'not run: no python3 on this machine'
  const listed = (await request('GET', `${home.urls.marketplace}/wpk/list?limit=500`)).body as { count: number }
  return {
    files: {},
    figures: { answers, listed: listed.count },
    lines: [
      '- Both SDKs published `docs/examples/scale-web.json` (the same bytes again, so the id is the one it has) and listed the marketplace:',
      '',
      '```json',
      JSON.stringify(answers, null, 2),
      '```',
    ],
  }
}

async function json(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<unknown> {
  const { stdout } = await run_(command, args, { cwd: checkout, env })
  return JSON.parse(stdout)
}
