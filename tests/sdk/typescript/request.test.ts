import { expect } from 'chai'
import { AtomError, getInvoice, getVerdict, getWorkflow, resolveWPK } from '../../../sdk/typescript/index.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'

describe('sdk/typescript requests', () => {
  let server: ScriptedServer
  before(async () => {
    server = await startScriptedServer()
  })
  after(() => server.close())

  it('sends the token as a bearer credential and ids as one path segment', async () => {
    server.play([{ status: 200, json: {} }])
    await getWorkflow('a/b?c', 'secret', { baseUrl: `${server.url}/` })
    const [heard] = server.heard()
    expect(heard?.path).to.equal('/wpk/a%2Fb%3Fc')
    expect(heard?.headers.authorization).to.equal('Bearer secret')
  })

  it('asks for the best version in a range, as a visitor too', async () => {
    server.play([{ status: 200, json: { version: '1.2.0' } }])
    expect(await resolveWPK('backup', '^1.0.0 || 3', { baseUrl: server.url })).to.deep.equal({ version: '1.2.0' })
    const [heard] = server.heard()
    expect(heard?.path).to.equal('/wpk/resolve?name=backup&range=%5E1.0.0+%7C%7C+3')
    expect(heard?.headers.authorization).to.equal(undefined)
  })

  it('refuses ids that would reach another call', async () => {
    server.play([])
    for (const id of ['', '.', '..']) {
      expect(await codeOf(getWorkflow(id, 'secret', { baseUrl: server.url }))).to.equal('invalid_argument')
    }
    expect(server.heard()).to.be.empty
  })

  it('refuses an empty or broken token instead of calling as a visitor', async () => {
    server.play([])
    for (const token of ['', 'two words', 'line\r\nbreak']) {
      expect(await codeOf(getVerdict('id', token, { baseUrl: server.url }))).to.equal('invalid_argument')
    }
    expect(server.heard()).to.be.empty
  })

  it('refuses a base URL that is not http or https', async () => {
    for (const baseUrl of ['ftp://127.0.0.1', 'file:///etc/passwd', '127.0.0.1:8050', 'http://']) {
      expect(await codeOf(getVerdict('id', 'secret', { baseUrl })), baseUrl).to.equal('invalid_argument')
    }
  })

  it('takes base URLs from MARKET_API and ATOM_BILLING_API', async () => {
    const { MARKET_API, ATOM_BILLING_API } = process.env
    try {
      process.env.MARKET_API = `${server.url}/market`
      process.env.ATOM_BILLING_API = `${server.url}/billing-root`
      server.play([
        { status: 200, json: {} },
        { status: 200, json: {} },
      ])
      await getVerdict('id', 'secret')
      await getInvoice('demo', 'secret', { period: '2025-02' })
      expect(server.heard().map(({ path }) => path)).to.deep.equal([
        '/market/wpk/id/verdict',
        '/billing-root/billing/invoice/demo?period=2025-02',
      ])
    } finally {
      restore('MARKET_API', MARKET_API)
      restore('ATOM_BILLING_API', ATOM_BILLING_API)
    }
  })

  it('limits the time of an attempt even when its answer keeps trickling', async () => {
    server.play([{ trickle: true }])
    const options = { baseUrl: server.url, timeoutMs: 200, retries: 0 }
    expect(await codeOf(getVerdict('id', 'secret', options))).to.equal('timeout')
  })

  it('puts code, status, request id and the first places into the message', () => {
    const error = new AtomError({
      code: 'wpk_malformed',
      title: 'Package malformed',
      status: 400,
      requestId: 'r-9',
      errors: [{ pointer: '/metadata/name', code: 'schema_pattern', detail: 'must be lower case' }],
    })
    expect(error.message).to.equal(
      'Package malformed [wpk_malformed, HTTP 400, request r-9]\n  /metadata/name: must be lower case',
    )
  })
})

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'answered',
    (error: unknown) => (error instanceof AtomError ? error.code : error),
  )
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
