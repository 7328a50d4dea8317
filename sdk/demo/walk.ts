import { sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type TracedRequest, tracedCall } from './traced-call.ts'

type Member = { tokens: Record<string, string>; api_key: string; private_key_path: string; key_id: string }
type Credentials = { orgs: { atom: { tokens: Record<string, string> }; demo: Member; acme: Member } }
type Version = { id: string; version: string; status: string; reason: string; next_step: string }
type Line = { package?: string; meter?: string; quantity?: string; unit_price?: string; amount: string; kind: string }
type Invoice = { lines: Line[]; subtotal: string; tax: string; total: string; currency: string }

const EXAMPLE = new URL('../../docs/examples/requeue-failed-jobs.yaml', import.meta.url)
const PACKAGE = 'requeue-failed-jobs'
const print = (line: string) => process.stdout.write(`${line}\n`)
const call = tracedCall(print)

/** The main job end to end against the running system: publish, verdict, review, usage, invoice, portal. */
async function walk(): Promise<void> {
  const market = process.env.MARKET_API ?? 'http://127.0.0.1:8050'
  const billing = process.env.ATOM_BILLING_API ?? 'http://127.0.0.1:8060'
  const portal = process.env.ATOM_PORT_PORTAL
    ? `http://127.0.0.1:${process.env.ATOM_PORT_PORTAL}`
    : 'http://127.0.0.1:8080'
  const { atom, demo, acme } = (await readCredentials()).orgs
  const partner = { as: 'partner of demo', token: demo.tokens.partner ?? '' }
  const reviewer = { as: 'reviewer', token: atom.tokens.reviewer ?? '' }
  const tenant = { as: 'tenant acme', token: acme.tokens.tenant ?? '' }

  print('1. demo signs one of the example packages over its exact bytes and publishes it.')
  const bytes = await unpublished(market, partner.token)
  const signature = sign('sha256', bytes, await readFile(demo.private_key_path, 'utf8')).toString('base64')
  const upload = { content: bytes.toString('base64'), content_encoding: 'base64', signature, key_id: demo.key_id }
  const { id } = await call<Version>({ ...partner, method: 'POST', url: `${market}/wpk/upload`, body: upload })

  print('\n2. The analyzer judges it. It runs without asking anybody, so a person has to look.')
  const held = await settled(market, id, partner.token, ['submitted', 'scanning'])
  print(`   ${held.status}: ${held.reason}`)
  await call({ ...partner, url: `${market}/wpk/${id}/verdict`, show: shownVerdict })

  print('\n3. A reviewer approves it, with a justification that is kept.')
  const justification = 'Only creates jobs again inside its own namespace; the team owns both.'
  const decision = { decision: 'approve', justification }
  await call({ ...reviewer, method: 'POST', url: `${market}/wpk/review/${id}`, body: decision })
  print(`   ${(await settled(market, id, partner.token, ['approved'])).status}`)

  print('\n4. demo sells it at 0.10 USD a requeued job; acme subscribes.')
  await subscribe(billing, partner, tenant)

  print('\n5. acme reports usage: 5 + 2.5 + 7 jobs. One record comes twice and counts once; one meter has no price.')
  const before = await invoiceOf(billing, tenant)
  const reported = await report(billing, tenant)
  await receiptOf(billing, tenant, reported)

  print("\n6. acme's invoice of this month, live.")
  const after = await invoiceOf(billing, tenant)
  const earlier = lineOf(before)?.quantity ?? '0'
  const line = lineOf(after)
  for (const one of after.lines) print(`   ${describe(one)}`)
  print(`   subtotal ${after.subtotal} + tax ${after.tax} = ${after.total} ${after.currency}`)
  print(
    `   By hand: ${earlier} jobs before + 5 + 2.5 + 7 = ${line?.quantity}; ${line?.quantity} × ${line?.unit_price} = ${line?.amount}`,
  )

  print('\n7. The same figures in the portal.')
  type Usage = { rows: { package?: string; quantity: string }[] }
  const inPortal = (usage: Usage) => usage.rows.filter((row) => row.package === PACKAGE)
  await until(
    () => call<Usage>({ ...tenant, url: `${portal}/analytics/usage`, quiet: true }),
    (usage) => inPortal(usage).some((row) => row.quantity === line?.quantity),
  )
  await call({ ...tenant, url: `${portal}/analytics/usage`, show: inPortal as never })
  print(`\nDone. Open ${portal} to see it.`)
}

/** The example's bytes; when this version is taken by an earlier walk, the same with the next free patch version. */
async function unpublished(market: string, token: string): Promise<Buffer> {
  const text = await readFile(EXAMPLE, 'utf8')
  const url = `${market}/wpk/list?q=${PACKAGE}&publisher=demo&limit=500`
  const { wpks } = await call<{ wpks: Version[] }>({ as: '', url, token, quiet: true })
  const taken = new Set(wpks.map((one) => one.version))
  for (let patch = 0; ; patch++)
    if (!taken.has(`0.4.${patch}`)) return Buffer.from(text.replace('version: 0.4.0', `version: 0.4.${patch}`))
}

async function settled(market: string, id: string, token: string, passing: string[]): Promise<Version> {
  const ask = () => call<Version>({ as: '', url: `${market}/wpk/${id}`, token, quiet: true })
  return until(ask, ({ status }) => !passing.includes(status))
}

async function subscribe(billing: string, partner: Caller, tenant: Caller): Promise<void> {
  const charges = [{ id: 'requeues', meter: 'job_requeues', model: 'per_unit', unit_amount: '0.10' }]
  const plan = { name: 'requeue', currency: 'USD', charges }
  type Plans = { plans: { id: string; name: string }[] }
  const known = await call<Plans>({ ...partner, url: `${billing}/billing/plans?limit=500`, quiet: true })
  const made =
    known.plans.find((one) => one.name === plan.name) ??
    (await call<{ id: string }>({ ...partner, method: 'POST', url: `${billing}/billing/plans`, body: plan }))
  const body = { package: PACKAGE, plan_id: made.id }
  const url = `${billing}/billing/subscriptions`
  // Billing learns of the published package a moment after the marketplace: 404 until then.
  await until(
    () => call<{ code?: string }>({ ...tenant, method: 'POST', url, body, accept: [404, 409] }),
    ({ code }) => code !== 'package_unknown',
  )
}

async function report(billing: string, tenant: Caller): Promise<string> {
  const now = new Date()
  const record = (name: string, quantity: string) => ({
    id: `walk-${now.getTime()}-${name}`,
    meter: 'job_requeues',
    quantity,
    time: now.toISOString(),
    package: PACKAGE,
  })
  const first = record('a', '5')
  const unknown = { ...record('d', '1'), meter: 'coffee_breaks' }
  const records = [first, record('b', '2.5'), record('c', '7'), first, unknown]
  const url = `${billing}/usage/report`
  return (await call<{ report_id: string }>({ ...tenant, method: 'POST', url, body: { records } })).report_id
}

async function receiptOf(billing: string, tenant: Caller, reportId: string): Promise<void> {
  const url = `${billing}/usage/receipts/${reportId}`
  const ask = () => call<{ code?: string }>({ ...tenant, url, accept: [404], quiet: true })
  await until(ask, ({ code }) => code !== 'not_found')
  await call({ ...tenant, url })
}

const invoiceOf = (billing: string, tenant: Caller) =>
  call<Invoice>({ ...tenant, url: `${billing}/billing/invoice/acme`, show: ({ total }: Invoice) => ({ total }) })
const lineOf = ({ lines }: Invoice) => lines.find((one) => one.package === PACKAGE && one.meter === 'job_requeues')
const describe = ({ package: of, meter, quantity, unit_price, amount }: Line) =>
  `${of}: ${quantity ?? ''} ${meter ?? ''}${unit_price ? ` × ${unit_price}` : ''} = ${amount}`
const shownVerdict = (verdict: { risk_score: number; decision: string; violations: Record<string, string>[] }) => ({
  risk_score: verdict.risk_score,
  decision: verdict.decision,
  violations: verdict.violations.map(({ rule_id, severity, pointer, message }) => ({
    rule_id,
    severity,
    pointer,
    message,
  })),
})

async function until<T>(ask: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const value = await ask()
    if (done(value)) return value
    if (performance.now() > deadline) throw new Error('this took longer than 20 s')
    await new Promise((next) => setTimeout(next, 100))
  }
}

async function readCredentials(): Promise<Credentials> {
  const file = join(resolve(process.env.ATOM_HOME ?? '.atom'), 'dev', 'credentials.json')
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Credentials
  } catch (cause) {
    throw new Error(`cannot read ${file}: start the system with \`npm start\` in another terminal first`, { cause })
  }
}

type Caller = Pick<TracedRequest, 'as' | 'token'>

walk().catch((error: unknown) => {
  const refused = error instanceof TypeError && error.message === 'fetch failed'
  const reason = refused
    ? 'nothing answers there: start the system with `npm start` in another terminal first'
    : String(error)
  process.stderr.write(`\nThe walk stopped: ${reason}\n`)
  process.exit(1)
})
