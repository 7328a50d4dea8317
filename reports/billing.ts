import { round, spreadOf, spreadText, timed } from './measure.ts'
import { eventually, request } from './running-system.ts'
import type { Context, Result, Section } from './section.ts'

const REPORTS = 20
const RECORDS = 500
type Line = { meter?: string; quantity?: string; unit_price?: string; amount: string; description: string }
type Invoice = { lines: Line[]; subtotal: string; tax: string; total: string; currency: string }

export const billing: Section = {
  id: 'E.3',
  page: 'E.3_billing.md',
  title: 'Metering and billing',
  tests: ['tests/consumers/metering/'],
  run,
}

async function run({ home, orgs }: Context): Promise<Result> {
  const { billing: api } = home.urls
  const token = orgs.demo.api_key
  const invoice = async () => (await request('GET', `${api}/billing/invoice/demo`, { token })).body as Invoice
  const quantity = async () => (await invoice()).lines[0]?.quantity
  const before = (await quantity()) ?? '0'
  const meter = (await invoice()).lines[0]?.meter ?? ''
  const time = new Date().toISOString()
  const begun = performance.now()
  const reports = spreadOf(
    await timed(REPORTS, async (report) => {
      const records = Array.from({ length: RECORDS }, (_, n) => ({
        id: `report-${time}-${report}-${n}`,
        meter,
        quantity: '1',
        time,
      }))
      const answer = await request('POST', `${api}/usage/report`, { token, body: { records } })
      if (answer.status !== 202) throw new Error(`a report was answered ${answer.status}`)
      return answer
    }),
  )
  const acceptedMs = performance.now() - begun
  const expected = String(Number(before) + REPORTS * RECORDS)
  await eventually(quantity, (value) => value === expected)
  const countedMs = performance.now() - begun
  const reads = spreadOf(await timed(REPORTS, () => request('GET', `${api}/billing/invoice/demo`, { token })))
  const shown = await invoice()
  const total = REPORTS * RECORDS
  const figures = {
    records: total,
    accepted_per_second: Math.round((total / acceptedMs) * 1000),
    accepted_and_on_the_invoice_per_second: Math.round((total / countedMs) * 1000),
    report_of_500: reports,
    invoice: reads,
  }
  return {
    files: { 'E.3_invoice.json': shown },
    figures,
    lines: [
      `- ${total} usage records in ${REPORTS} reports of ${RECORDS}, one after the other: durably accepted at ${figures.accepted_per_second} a second; all on the invoice ${round(countedMs - acceptedMs)} ms after the last answer. ${before} + ${total} = ${expected} on the first line.`,
      `- One report of ${RECORDS}: ${spreadText(reports)}.`,
      `- Live invoice: ${spreadText(reads)}.`,
      '',
      '| line | quantity | price | amount |',
      '|---|---|---|---|',
      ...shown.lines.map(
        (line) =>
          `| ${line.description} | ${line.quantity ?? ''} | ${line.unit_price ?? 'by tiers'} | ${line.amount} |`,
      ),
      '',
      `Subtotal ${shown.subtotal} + tax ${shown.tax} = ${shown.total} ${shown.currency}.`,
    ],
  }
}
