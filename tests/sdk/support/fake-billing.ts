import { randomUUID } from 'node:crypto'
import type { RejectedRecord } from '../../../sdk/typescript/index.ts'
import { type Credentials, type Principal, principalOf, requireRole } from './fake-organisations.ts'
import { answer, answerProblem, Problem } from './fake-problem.ts'
import { bodyOf, type LocalServer, startLocalServer } from './local-server.ts'

const METER = 'api_calls'
const UNIT_PRICE_CENTS = 2n
const SCALE = 1_000_000_000_000n
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** The usage edge and the live invoice of contract.md, in memory: dedupe by id, one per-unit price on a sum meter. */
export async function startFakeBilling(credentials: Credentials, now: () => Date): Promise<LocalServer> {
  const counted = new Map<string, bigint>()
  return startLocalServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake')
    try {
      const body = await bodyOf(request)
      const principal = principalOf(credentials, request.headers.authorization)
      if (request.method === 'POST' && url.pathname === '/usage/report') {
        answer(response, 202, report(counted, principal, body, now()))
      } else if (request.method === 'GET' && url.pathname.startsWith('/billing/invoice/')) {
        const tenant = decodeURIComponent(url.pathname.slice(17))
        answer(response, 200, invoice(counted, principal, tenant, url.searchParams.get('period'), now()))
      } else {
        throw new Problem(404, 'not_found')
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      answerProblem(response, url.pathname, error)
    }
  })
}

function report(counted: Map<string, bigint>, caller: Principal | undefined, body: Buffer, now: Date) {
  const { org } = requireRole(caller, ['tenant', 'partner', 'report'])
  const { records } = JSON.parse(body.toString('utf8')) as { records: Record<string, unknown>[] }
  if (!Array.isArray(records) || records.length < 1 || records.length > 1000) throw new Problem(400, 'body_invalid')
  const rejected: RejectedRecord[] = []
  for (const [index, record] of records.entries()) {
    const problem = problemOf(record, now)
    if (problem) {
      const pointer = `/records/${index}/${problem.field}`
      rejected.push({ index, id: String(record.id), code: problem.code, pointer, detail: `refused: ${problem.code}` })
      continue
    }
    const key = JSON.stringify([org, record.id])
    if (!counted.has(key)) counted.set(key, record.meter === METER ? scaled(String(record.quantity)) : 0n)
  }
  const accepted = records.length - rejected.length
  return { report_id: randomUUID(), accepted, rejected, receipt: { root: '00'.repeat(32), count: accepted } }
}

function problemOf(record: Record<string, unknown>, now: Date): { field: string; code: string } | undefined {
  if (!/^[\x21-\x7e]{1,128}$/.test(String(record.id))) return { field: 'id', code: 'id_invalid' }
  const quantity = record.quantity
  const whole = typeof quantity === 'number' && Number.isSafeInteger(quantity)
  if (!whole && !(typeof quantity === 'string' && /^\d+(\.\d{1,12})?$/.test(quantity))) {
    return { field: 'quantity', code: 'quantity_invalid' }
  }
  const age = now.getTime() - Date.parse(String(record.time))
  if (Number.isNaN(age)) return { field: 'time', code: 'time_invalid' }
  if (age > 95 * DAY_MS) return { field: 'time', code: 'too_old' }
  if (age < -5 * MINUTE_MS) return { field: 'time', code: 'in_future' }
  return undefined
}

function scaled(quantity: string): bigint {
  const [whole = '0', fraction = ''] = quantity.split('.')
  return BigInt(whole) * SCALE + BigInt(fraction.padEnd(12, '0'))
}

function invoice(
  counted: Map<string, bigint>,
  caller: Principal | undefined,
  tenant: string,
  asked: string | null,
  now: Date,
) {
  const { org } = requireRole(caller, ['tenant', 'read', 'finance'])
  if (org !== tenant && org !== 'atom') throw new Problem(404, 'not_found')
  const current = now.toISOString().slice(0, 7)
  const period = asked ?? current
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(period)) throw new Problem(400, 'period_invalid')
  let units = 0n
  if (period === current) {
    for (const [key, quantity] of counted) if ((JSON.parse(key) as string[])[0] === tenant) units += quantity
  }
  const cents = (units * UNIT_PRICE_CENTS + SCALE / 2n) / SCALE
  const amount = `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`
  const quantity = `${units / SCALE}.${String(units % SCALE).padStart(12, '0')}`.replace(/\.?0+$/, '') || '0'
  const line = { id: 'line-1', kind: 'usage', meter: METER, description: METER, quantity, unit_price: '0.02' }
  return {
    id: `inv-${tenant}-${period}`,
    tenant,
    period,
    status: period === current ? 'gathering' : 'issued',
    currency: 'EUR',
    lines: [{ ...line, amount, period }],
    subtotal: amount,
    tax: '0.00',
    taxes: [],
    total: amount,
    credits_applied: '0.00',
    amount_due: amount,
    as_of: now.toISOString(),
  }
}
