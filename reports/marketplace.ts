import { sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { spreadOf, spreadText, timed } from './measure.ts'
import { checkout, eventually, request } from './running-system.ts'
import type { Context, Result, Section } from './section.ts'

const UPLOADS = 20

export const marketplace: Section = {
  id: 'E.1',
  page: 'E.1_marketplace.md',
  title: 'Marketplace',
  tests: ['tests/producers/'],
  run,
}

async function run({ home, orgs, starts }: Context): Promise<Result> {
  const { marketplace: market } = home.urls
  const token = orgs.demo.tokens.partner
  const key = await readFile(orgs.demo.private_key_path, 'utf8')
  const text = await readFile(`${checkout}docs/examples/restart-workers.yaml`, 'utf8')
  const ids: string[] = []
  const upload = async (round: number) => {
    const bytes = Buffer.from(text.replace('version: 1.2.0', `version: 9.0.${round}`))
    const signature = sign('sha256', bytes, key).toString('base64')
    const answer = await request('POST', `${market}/wpk/upload`, {
      token,
      body: { content: bytes.toString('utf8'), signature },
    })
    if (answer.status !== 202) throw new Error(`upload answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    ids.push((answer.body as { id: string }).id)
    return answer
  }
  const uploads = spreadOf(await timed(UPLOADS, upload))
  const begun = performance.now()
  const last = () => request('GET', `${market}/wpk/${ids.at(-1)}`, { token })
  const settled = await eventually(last, ({ body }) => (body as { status: string }).status !== 'submitted')
  const drainedMs = Math.round(performance.now() - begun)
  const refusals = spreadOf(
    await timed(UPLOADS, async () => {
      const answer = await request('POST', `${market}/wpk/upload`, {
        token,
        body: { content: text, signature: 'AAAA' },
      })
      if (answer.status !== 422) throw new Error(`a wrong signature was answered ${answer.status}`)
      return answer
    }),
  )
  const health = (await request('GET', `${market}/health`)).body as {
    policies: { id: string; status: string; detail: string }[]
  }
  const lists = spreadOf(await timed(UPLOADS, () => request('GET', `${market}/wpk/list`)))
  return {
    files: { 'E.1_health.json': health },
    figures: { ready_first_start_ms: starts.first_ms, ready_later_start_ms: starts.later_ms, uploads, refusals, lists },
    lines: [
      `- Ready (every \`/health\` ok) ${starts.first_ms} ms after the first start of an empty home, the portal's build included; ${starts.later_ms} ms after a later start.`,
      `- Signed upload, one at a time: ${spreadText(uploads)}. All ${UPLOADS} had their verdict ${drainedMs} ms after the last answer; the last is \`${(settled.body as { status: string }).status}\`.`,
      `- Refusal of a wrong signature: ${spreadText(refusals)}.`,
      `- Package list: ${spreadText(lists)}.`,
      '',
      '| policy | finding | detail |',
      '|---|---|---|',
      ...health.policies.map(({ id, status, detail }) => `| ${id} | ${status} | ${detail} |`),
    ],
  }
}
