import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { spreadOf, spreadText, timed } from './measure.ts'
import { request } from './running-system.ts'
import type { Context, Result, Section } from './section.ts'

const ROUNDS = 30
type Revenue = {
  currency: string
  months: Record<'month' | 'gross' | 'partner_share' | 'platform_fee' | 'tax', string>[]
}

export const portal: Section = {
  id: 'E.5',
  page: 'E.5_portal.md',
  title: 'Portal and analytics',
  tests: ['tests/portal/', 'tests/consumers/analytics/'],
  run,
}

async function run({ home, orgs }: Context): Promise<Result> {
  const { portal: api } = home.urls
  const token = orgs.atom.tokens.finance as string
  const revenue = (await request('GET', `${api}/analytics/revenue`, { token })).body as Revenue
  const times = spreadOf(await timed(ROUNDS, () => request('GET', `${api}/analytics/revenue`, { token })))
  const page = await request('GET', `${api}/`)
  if (page.status !== 200 || !page.type.startsWith('text/html')) throw new Error(`the page answered ${page.status}`)
  const bytes = await assetBytes(join(home.folder, 'portal'))
  return {
    files: { 'E.5_revenue.json': revenue },
    figures: { revenue: times, page_asset_bytes: bytes },
    lines: [
      `- The page answers 200; its scripts and styles are ${bytes} bytes before compression.`,
      `- \`GET /analytics/revenue\` as finance: ${spreadText(times)}.`,
      '',
      `| month | gross (${revenue.currency}) | partners | platform | tax |`,
      '|---|---|---|---|---|',
      ...revenue.months.map(
        (one) => `| ${one.month} | ${one.gross} | ${one.partner_share} | ${one.platform_fee} | ${one.tax} |`,
      ),
    ],
  }
}

async function assetBytes(folder: string): Promise<number> {
  const names = await readdir(join(folder, 'assets'))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, 'assets', name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
