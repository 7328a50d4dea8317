import { sign } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../platform/clock.ts'
import { periodBounds, periodOf } from '../../platform/utc-time.ts'
import { call, until } from './call.ts'
import { type DemoPackage, type DemoSubscription, demoPackages, demoSubscriptions } from './catalogue.ts'
import type { DemoCredentials } from './credentials.ts'
import { recordsOf } from './seed-usage.ts'

export type SeedOptions = {
  home: string
  credentials: DemoCredentials
  urls: { marketplace: string; billing: string }
  now: Clock
  progress: (text: string) => void
}
const EXAMPLES = new URL('../../docs/examples/', import.meta.url)

/**
 * Fills a new installation through its own HTTP calls, as clients would: packages published and approved, plans,
 * subscriptions, a month and more of usage, last month's invoices. A seeding that was cut short goes on where it was.
 */
export async function seedDemo(options: SeedOptions): Promise<void> {
  const marker = join(options.home, 'dev', 'seeded')
  if (existsSync(marker)) return
  const uploaded = await Promise.all(demoPackages.map((one) => publish(options, one)))
  await Promise.all(demoSubscriptions.map((one) => subscribe(options, one)))
  options.progress(`${uploaded.length} packages, ${demoSubscriptions.length} subscriptions`)
  const reports = await Promise.all((['demo', 'acme'] as const).map((tenant) => reportUsage(options, tenant)))
  const records = reports.reduce((sum, count) => sum + count, 0)
  const { finance } = options.credentials.orgs.atom.tokens
  const period = lastPeriod(options.now())
  const issued = await call<{ issued: string[] }>(
    'POST',
    `${options.urls.billing}/billing/invoices/issue`,
    finance,
    // The demo's past has no late reports to wait for.
    { period, collection: 'skip' },
  )
  options.progress(`${records} usage records, ${issued.body.issued.length} invoices of ${period} issued`)
  await writeFile(marker, `${options.now().toISOString()}\n`)
}

async function publish({ credentials, urls }: SeedOptions, { publisher, file, approve }: DemoPackage): Promise<void> {
  const { tokens, private_key_path, key_id } = credentials.orgs[publisher]
  const bytes = await readFile(new URL(file, EXAMPLES))
  const signature = sign('sha256', bytes, await readFile(private_key_path, 'utf8')).toString('base64')
  const upload = { content: bytes.toString('base64'), content_encoding: 'base64', signature, key_id }
  const { body: version } = await call<{ id: string }>('POST', `${urls.marketplace}/wpk/upload`, tokens.partner, upload)
  const state = () => call<{ status: string }>('GET', `${urls.marketplace}/wpk/${version.id}`, tokens.partner)
  await until(state, ({ body }) => body.status !== 'submitted', `the verdict on ${file}`)
  if (approve === null) return
  const review = { decision: 'approve', justification: approve }
  const { reviewer } = credentials.orgs.atom.tokens
  await call('POST', `${urls.marketplace}/wpk/review/${version.id}`, reviewer, review, [409])
  await until(state, ({ body }) => body.status === 'published', `the publication of ${file}`)
}

async function subscribe({ credentials, urls, now }: SeedOptions, subscription: DemoSubscription): Promise<void> {
  const { tenant, partner, package: name, plan } = subscription
  const token = credentials.orgs[partner].tokens.partner
  type Listed = { plans: { id: string; name: string }[] }
  const wanted = (plan as { name: string }).name
  const { body: known } = await call<Listed>('GET', `${urls.billing}/billing/plans?limit=500`, token)
  const from = periodBounds(lastPeriod(now())).start.toISOString()
  const made =
    known.plans.find((one) => one.name === wanted) ??
    (await call<{ id: string }>('POST', `${urls.billing}/billing/plans`, token, { ...plan, effective_from: from })).body
  // The package becomes known to billing a moment after it is published: 404 until then.
  await until(
    () =>
      call(
        'POST',
        `${urls.billing}/billing/subscriptions`,
        credentials.orgs.atom.tokens.finance,
        { tenant, package: name, plan_id: made.id, starts_at: from },
        [404, 409],
      ),
    ({ status }) => status !== 404,
    `the subscription of ${tenant} to ${name}`,
  )
}

async function reportUsage({ credentials, urls, now }: SeedOptions, tenant: 'demo' | 'acme'): Promise<number> {
  const token = credentials.orgs[tenant].api_key
  const own = demoSubscriptions.filter((one) => one.tenant === tenant)
  const records = own.flatMap((one) => recordsOf(one, now()))
  for (let at = 0; at < records.length; at += 1000) {
    const batch = { records: records.slice(at, at + 1000) }
    type Reported = { report_id: string; rejected: unknown[] }
    const { body } = await call<Reported>('POST', `${urls.billing}/usage/report`, token, batch)
    if (body.rejected.length > 0) throw new Error(`seeded usage was rejected: ${JSON.stringify(body.rejected[0])}`)
    const receipt = () => call('GET', `${urls.billing}/usage/receipts/${body.report_id}`, token, undefined, [404])
    await until(receipt, ({ status }) => status === 200, `the counting of report ${body.report_id}`)
  }
  return records.length
}

const lastPeriod = (now: Date): string => periodOf(new Date(periodBounds(periodOf(now)).start.getTime() - 1))
