import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Fields = Record<string, string>
type Made = { id: string; object: string; metadata: Fields; fields: Fields; status?: string; invoice?: string }
/** What goes wrong: before or after the effect, and whether the answer is kept under the key as Stripe keeps it. */
export type Misbehaviour =
  | 'reset before'
  | 'reset after'
  | 'silence after'
  | 'refuse 409'
  | 'refuse 429'
  | 'refuse 402'
  | 'fail 500'
  | 'fail 500 after'
const DAY_MS = 86_400_000
type Answer = { status: number; body: unknown; headers?: Fields }
type Kept = { call: string; answer: Answer | null }
export type FakeStripe = Awaited<ReturnType<typeof startFakeStripe>>

/**
 * Stripe's rules as far as sending relies on them: keys are kept with their answers, failures too; drafts, finalizing
 * and voiding; identifiers of meter events. Misbehaves where it is told to.
 */
export async function startFakeStripe(secretKey = 'sk_test_fake', now: () => Date = () => new Date()) {
  const kept = new Map<string, Kept>()
  const made: Made[] = []
  const meterEvents = new Map<string, Fields>()
  const script: { call: RegExp; how: Misbehaviour; times: number }[] = []
  const calls: string[] = []
  const silenced: ServerResponse[] = []
  const events = new Map<string, object>()
  let numbered = 0
  // Ids are unique in the world there, whichever of these makes them.
  const mine = randomUUID().slice(0, 8)

  const of = (object: string) => made.filter((one) => one.object === object)
  const one = (id: string) => made.find((each) => each.id === id)
  function make(object: string, prefix: string, fields: Fields, more: Partial<Made> = {}): Made {
    numbered += 1
    const thing = {
      id: `${prefix}_${mine}${numbered}`,
      object,
      metadata: membersOf(fields, 'metadata'),
      fields,
      ...more,
    }
    made.push(thing)
    return thing
  }
  const itemsOf = (invoice: string) => of('invoiceitem').filter((item) => item.invoice === invoice)
  const amountOf = (invoice: string) => itemsOf(invoice).reduce((sum, { fields }) => sum + Number(fields.amount), 0)

  const recordsOf = (invoice: string) => of('payment_record').filter((record) => record.invoice === invoice)
  /** What is still to be paid: credits beyond that were put to the customer. */
  function remainingOf({ id, status }: Made): number {
    if (status === 'paid') return 0
    const paid = recordsOf(id).reduce((sum, { fields }) => sum + Number(fields['amount_requested[value]']), 0)
    const credited = of('credit_note').filter((note) => note.invoice === id)
    const off = ({ fields }: Made) => Number(fields.amount) - Number(fields.credit_amount ?? 0)
    return credited.reduce((rest, note) => rest - off(note), amountOf(id) - paid)
  }

  function post(path: string, fields: Fields): Answer {
    const [, , kind, id, verb] = path.split('/') as [string, string, string, string?, string?]
    const missing = (name: string): Answer =>
      refusal(400, { type: 'invalid_request_error', code: 'parameter_missing', param: name })
    if (path === '/v1/customers') return done(make('customer', 'cus', fields))
    if (path === '/v1/invoices') {
      if (!fields.customer) return missing('customer')
      if (!one(fields.customer))
        return refusal(400, { type: 'invalid_request_error', code: 'resource_missing', param: 'customer' })
      return done(make('invoice', 'in', fields, { status: 'draft' }))
    }
    if (path === '/v1/invoiceitems') {
      const invoice = one(fields.invoice ?? '')
      if (!invoice) return missing('invoice')
      if (invoice.status !== 'draft')
        return refusal(400, { type: 'invalid_request_error', code: 'invoice_not_editable' })
      if (!/^-?\d+$/.test(fields.amount ?? '')) return missing('amount')
      if (fields.currency !== invoice.fields.currency)
        return refusal(400, { type: 'invalid_request_error', param: 'currency' })
      return done(make('invoiceitem', 'ii', fields, { invoice: invoice.id }))
    }
    if (path === '/v1/credit_notes') {
      const invoice = one(fields.invoice ?? '')
      if (invoice?.status !== 'open' && invoice?.status !== 'paid')
        return refusal(400, { type: 'invalid_request_error', param: 'invoice' })
      const over = Number(fields.amount) - remainingOf(invoice)
      if (over > 0 && fields.credit_amount !== String(over)) return missing('credit_amount')
      return done(make('credit_note', 'cn', fields, { invoice: invoice.id }))
    }
    if (path === '/v1/payment_records/report_payment') {
      if (!/^[1-9]\d*$/.test(fields['amount_requested[value]'] ?? '')) return missing('amount_requested')
      if (fields.outcome !== 'guaranteed' || !fields['processor_details[custom][payment_reference]'])
        return missing('processor_details')
      return done(make('payment_record', 'pr', fields))
    }
    if (path === '/v1/billing/meter_events') {
      const { identifier = '', timestamp, 'payload[value]': value, 'payload[stripe_customer_id]': customer } = fields
      const age = now().getTime() - Number(timestamp) * 1000
      if (!(age <= 35 * DAY_MS && age >= -5 * 60_000))
        return refusal(400, { type: 'invalid_request_error', param: 'timestamp' })
      if (!/^-?\d{1,15}$/.test(value ?? '') || identifier.length > 100 || !one(customer ?? ''))
        return refusal(400, { type: 'invalid_request_error', param: 'payload' })
      if (meterEvents.has(identifier))
        return refusal(
          400,
          { type: 'invalid_request_error', message: `An event already exists with identifier ${identifier}.` },
          { 'stripe-should-retry': 'false' },
        )
      meterEvents.set(identifier, fields)
      return done({ object: 'billing.meter_event', ...fields })
    }
    const invoice = kind === 'invoices' && id ? one(id) : undefined
    if (!invoice) return refusal(404, { type: 'invalid_request_error', code: 'resource_missing' })
    if (verb === 'attach_payment') {
      const record = one(fields.payment_record ?? '')
      if (invoice.status !== 'open' || !record || record.invoice)
        return refusal(400, { type: 'invalid_request_error', code: 'invoice_not_editable' })
      record.invoice = invoice.id
      if (remainingOf(invoice) <= 0) invoice.status = 'paid'
      return done(invoice)
    }
    if (verb === 'pay') {
      if (fields.paid_out_of_band !== 'true') return refusal(402, { type: 'card_error', code: 'card_declined' })
      if (invoice.status !== 'open' && invoice.status !== 'uncollectible')
        return refusal(400, { type: 'invalid_request_error', code: 'invoice_not_editable' })
      invoice.status = 'paid'
      return done(Object.assign(invoice, { fields: { ...invoice.fields, ...fields } }))
    }
    const [from, to] = verb === 'finalize' ? ['draft', 'open'] : ['open', 'void']
    if (invoice.status !== from) return refusal(400, { type: 'invalid_request_error', code: 'invoice_not_editable' })
    // What leaves nothing to pay is paid as soon as it is final.
    invoice.status = verb === 'finalize' && amountOf(invoice.id) <= 0 ? 'paid' : (to as string)
    return done(invoice)
  }

  function get(path: string, query: URLSearchParams): Answer {
    if (path.startsWith('/v2/core/events/')) {
      const event = events.get(path.slice('/v2/core/events/'.length))
      return event ? done(event) : refusal(404, { code: 'not_found', message: 'no such event' })
    }
    if (path === '/v1/customers/search') {
      const found = /^metadata\['(\w+)'\]:'([^']*)'$/.exec(query.get('query') ?? '')
      return listed(of('customer').filter((each) => each.metadata[found?.[1] ?? ''] === found?.[2]))
    }
    if (path === '/v1/invoices') return listed(of('invoice').filter((i) => i.fields.customer === query.get('customer')))
    if (path === '/v1/invoiceitems') return listed(itemsOf(query.get('invoice') ?? ''))
    if (path === '/v1/credit_notes') return listed(of('credit_note').filter((n) => n.invoice === query.get('invoice')))
    if (path === '/v1/payment_records') return listed(of('payment_record'))
    if (path === '/v1/invoice_payments') {
      const payments = recordsOf(query.get('invoice') ?? '').map(({ id }) => ({ payment: { payment_record: id } }))
      return { status: 200, body: { object: 'list', data: payments, has_more: false, url: path } }
    }
    const found = one(path.split('/')[3] ?? '')
    if (found?.object === 'invoice') return done({ ...shown(found), amount_remaining: remainingOf(found) })
    return found ? done(found) : refusal(404, { type: 'invalid_request_error', code: 'resource_missing' })
  }

  /** The layer of keys: what began to be done is answered alike for ever, and a call that still runs is refused. */
  function keyed(path: string, key: string, fields: Fields, how: Misbehaviour | null): Answer {
    const call = JSON.stringify([path, fields])
    const before = kept.get(key)
    if (before && before.call !== call)
      return refusal(400, { type: 'idempotency_error', message: 'Keys can only be used with the same parameters' })
    if (before?.answer === null) return refusal(409, { type: 'invalid_request_error', code: 'idempotency_key_in_use' })
    if (before?.answer)
      return { ...before.answer, headers: { ...before.answer.headers, 'idempotent-replayed': 'true' } }
    const real =
      how === 'fail 500' ? null : how === 'refuse 402' ? refusal(402, { code: 'card_declined' }) : post(path, fields)
    const answer =
      real === null || how === 'fail 500 after' ? refusal(500, { type: 'api_error', message: 'sorry' }) : real
    kept.set(key, { call, answer })
    return answer
  }

  const server = createServer(async (req, res) => {
    const body = await bodyOf(req)
    const url = new URL(req.url ?? '/', 'http://stripe')
    const call = `${req.method} ${url.pathname}`
    calls.push(call)
    if (req.headers.authorization !== `Bearer ${secretKey}`)
      return answer(res, refusal(401, { type: 'invalid_request_error', message: 'Invalid API Key' }))
    const planned = script.find((each) => each.times > 0 && each.call.test(call))
    const how = planned?.how ?? null
    if (planned) planned.times -= 1
    if (how === 'reset before') return void req.socket.destroy()
    if (how === 'refuse 409') return answer(res, refusal(409, { code: 'lock_timeout' }))
    if (how === 'refuse 429') return answer(res, refusal(429, { code: 'rate_limit' }, { 'retry-after': '7' }))
    const key = req.headers['idempotency-key']
    const result =
      req.method === 'GET'
        ? get(url.pathname, url.searchParams)
        : keyed(url.pathname, typeof key === 'string' ? key : `none-${calls.length}`, formOf(body), how)
    if (how === 'reset after') return void req.socket.destroy()
    if (how === 'silence after') return void silenced.push(res)
    answer(res, result)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secretKey,
    calls,
    meterEvents,
    customers: () => of('customer'),
    invoices: () => of('invoice').map((each) => ({ ...each, amount: amountOf(each.id), items: itemsOf(each.id) })),
    creditNotes: () => of('credit_note'),
    /** Amounts of payments by other means that were reported, and those of them that are attached to an invoice. */
    parts: () => ({
      reported: of('payment_record').map(({ fields }) => Number(fields['amount_requested[value]'])),
      attached: of('payment_record').flatMap((one) => (one.invoice ? [one.invoice] : [])),
    }),
    /** The next `times` calls that match go wrong. */
    misbehave(call: RegExp, how: Misbehaviour, times = 1) {
      script.push({ call, how, times })
    },
    /** What a tenant used by a meter, in all or in a month. */
    metered: (tenant: string, name = 'runs', month = '') => {
      const customer = of('customer').find((each) => each.metadata.atom_tenant === tenant)?.id
      const own = [...meterEvents.values()].filter(
        (event) =>
          event.event_name === name &&
          event['payload[stripe_customer_id]'] === customer &&
          new Date(Number(event.timestamp) * 1000).toISOString().startsWith(month),
      )
      return own.reduce((sum, event) => sum + Number(event['payload[value]']), 0)
    },
    /** A day has passed: what was kept under keys is gone. */
    forgetKeys: () => kept.clear(),
    /** As if nothing had ever been made here. */
    reset() {
      kept.clear()
      meterEvents.clear()
      made.length = 0
    },
    /** A meter finds usage wrong that was taken: identifiers by code. Returns the event's id. */
    meterError(refused: Record<string, string[]>, at: Date, meter: string | null = 'mtr_1'): string {
      numbered += 1
      const id = `evt_${mine}${numbered}`
      const error_types = Object.entries(refused).map(([code, identifiers]) => ({
        code,
        error_count: identifiers.length,
        sample_errors: identifiers.map((identifier) => ({ error_message: 'acme used 3', request: { identifier } })),
      }))
      const error_count = error_types.reduce((sum, one) => sum + one.error_count, 0)
      const times = { validation_start: new Date(at.getTime() - 10_000), validation_end: at }
      const data = { developer_message_summary: 'acme used 3', reason: { error_count, error_types }, ...times }
      const type = meter ? 'v1.billing.meter.error_report_triggered' : 'v1.billing.meter.no_meter_found'
      const related = meter
        ? { related_object: { id: meter, type: 'billing.meter', url: `/v1/billing/meters/${meter}` } }
        : {}
      events.set(id, { id, object: 'v2.core.event', type, created: at, livemode: false, data, ...related })
      return id
    },
    pay(id: string) {
      const invoice = one(id)
      if (invoice) invoice.status = 'paid'
    },
    async close() {
      for (const res of silenced) res.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const shown = (thing: Made) => ({ ...thing.fields, ...thing, fields: undefined })
const done = (thing: Made | object): Answer => ({ status: 200, body: 'fields' in thing ? shown(thing as Made) : thing })
const listed = (things: readonly Made[]): Answer => ({
  status: 200,
  body: { object: 'list', data: things.map(shown), has_more: false, url: '/v1/list' },
})
const refusal = (status: number, error: object, headers: Fields = {}): Answer => ({
  status,
  body: { error },
  headers,
})

function answer(res: ServerResponse, { status, body, headers }: Answer): void {
  res.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_fake', ...headers })
  res.end(JSON.stringify(body))
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

const formOf = (body: string): Fields => Object.fromEntries(new URLSearchParams(body))
const membersOf = (fields: Fields, name: string): Fields =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => {
      const member = new RegExp(`^${name}\\[(\\w+)\\]$`).exec(key)?.[1]
      return member === undefined ? [] : [[member, value]]
    }),
  )
