import { type IncomingMessage, request } from 'node:http'
import { expect } from 'chai'
import { PORTAL, startSample } from './sample-service.ts'

describe('platform/http/service', () => {
  let ready = true
  let sample: Awaited<ReturnType<typeof startSample>>
  let url: string

  before(async () => {
    sample = await startSample(() => ready)
    url = sample.url
  })
  after(() => sample.close())

  const asPartner = { authorization: 'Bearer partner' }
  const post = (
    body: BodyInit,
    headers: Record<string, string> = { 'content-type': 'application/json' },
    path = '/things',
  ) => fetch(url + path, { method: 'POST', headers: { ...asPartner, ...headers }, body })

  /** The problem of an answer, after checking the shape that every problem has. */
  async function problem(response: Response, status: number, code: string) {
    const body = (await response.json()) as Record<string, unknown> & { errors: object[] }
    expect(response.headers.get('content-type')).to.match(/^application\/problem\+json/)
    expect(body).to.include({ status, code, type: `urn:atom:problem:${code}` })
    expect(response.status).to.equal(status)
    expect(body).to.have.all.keys('type', 'title', 'status', 'detail', 'instance', 'code', 'request_id', 'errors')
    expect(body.request_id).to.equal(response.headers.get('x-request-id'))
    return body
  }

  it('answers a call with its parameters and query', async () => {
    const response = await fetch(`${url}/things/a%2Fb?q=x+y`)
    expect(await response.json()).to.deep.equal({ id: 'a/b', q: 'x y' })
    expect(response.headers.get('x-content-type-options')).to.equal('nosniff')
    expect(response.headers.has('x-powered-by')).to.equal(false)
  })

  it('sends exact bytes with their type and headers', async () => {
    const response = await fetch(`${url}/bytes`)
    expect(Buffer.from(await response.arrayBuffer()).toString()).to.equal('a\0b')
    expect(response.headers.get('content-type')).to.contain('application/yaml')
    expect(response.headers.get('etag')).to.equal('"x"')
  })

  describe('problems', () => {
    it('404 for a call that does not exist', async () => {
      expect(await problem(await fetch(`${url}/nothing?x=1`), 404, 'not_found')).to.include({ instance: '/nothing' })
    })

    it('405 names what the path answers', async () => {
      const response = await fetch(`${url}/things/1`, { method: 'PUT' })
      await problem(response, 405, 'method_not_allowed')
      expect(response.headers.get('allow')).to.equal('GET, DELETE')
      await problem(await fetch(`${url}/health`, { method: 'POST' }), 405, 'method_not_allowed')
    })

    it('400 for an address that cannot be decoded', async () => {
      await problem(await fetch(`${url}/things/%E0%A4%A`), 400, 'parameter_invalid')
    })

    it('413 for a body over the limit of the call, whether its length is stated or not', async () => {
      const large = JSON.stringify({ name: 'x'.repeat(1_000) })
      await problem(await post(large), 413, 'body_too_large')
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from(large))
          controller.close()
        },
      })
      const init = {
        method: 'POST',
        headers: { ...asPartner, 'content-type': 'application/json' },
        body: stream,
        duplex: 'half',
      } as RequestInit
      await problem(await fetch(`${url}/things`, init), 413, 'body_too_large')
    })

    it('413 for a declared length over the limit before any of the body has come', async () => {
      const { hostname, port } = new URL(url)
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const headers = { ...asPartner, 'content-type': 'application/json', 'content-length': 50_000_000 }
        const sent = request({ hostname, port, path: '/things', method: 'POST', headers }, ({ statusCode }) => {
          resolve(statusCode)
          sent.destroy()
        })
        sent.on('error', reject)
        sent.flushHeaders()
      })
      expect(status).to.equal(413)
    })

    it('415 for another media type and for a compressed body', async () => {
      await problem(await post('{"name":"x"}', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type')
      await problem(await post('{"name":"x"}', {}), 415, 'unsupported_media_type')
      const compressed = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
      await problem(await post(Buffer.from('1f8b08', 'hex'), compressed), 415, 'unsupported_media_type')
    })

    const malformed: [string, BodyInit, string, string][] = [
      ['nothing', '', '', 'document_syntax'],
      ['half an object', '{"name":', '', 'document_syntax'],
      ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), '', 'document_not_utf8'],
      ['a key twice', '{"name":"a","name":"b"}', '', 'document_duplicate_key'],
      ['a forbidden key', '{"name":{"__proto__":1}}', '/name', 'document_forbidden_key'],
      ['too deep a body', `{"name":${'['.repeat(100)}`, '/name', 'document_too_deep'],
      ['a missing member', '{}', '', 'required'],
      ['a member of another type', '{"name":7}', '/name', 'type'],
      ['a fraction for an integer', '{"name":"a","size":1.5}', '/size', 'type'],
      ['an unknown member', '{"name":"a","nmae":1}', '/nmae', 'unknown_member'],
      ['an unknown member with slashes', '{"name":"a","a/b~c":1}', '/a~1b~0c', 'unknown_member'],
    ]
    for (const [what, body, pointer, code] of malformed)
      it(`400 for ${what}, with the place`, async () => {
        const { errors } = await problem(await post(body), 400, 'body_malformed')
        expect(errors).to.have.length(1)
        expect((errors[0] as { pointer: string }).pointer.startsWith(pointer), JSON.stringify(errors)).to.equal(true)
        expect(errors[0]).to.include({ code })
      })

    it('500 without a word of what failed; the log has it under the same request id', async () => {
      const body = await problem(await fetch(`${url}/broken`), 500, 'internal')
      expect(JSON.stringify(body)).to.not.contain('secret')
      expect(sample.lines.at(-1)).to.deep.include({ level: 'error', message: 'request failed' })
      expect(sample.lines.at(-1)?.fields).to.include({
        request_id: body.request_id,
        error: 'select secret from platform.api_keys',
      })
    })

    it('503 with Retry-After while the database cannot be reached', async () => {
      const response = await fetch(`${url}/unreachable`)
      await problem(response, 503, 'unavailable')
      expect(response.headers.get('retry-after')).to.equal('1')
    })

    it('503 with Retry-After when the database ended its transaction for the sake of another', async () => {
      const response = await fetch(`${url}/in-a-circle`, { method: 'POST' })
      await problem(response, 503, 'unavailable')
      expect(response.headers.get('retry-after')).to.equal('1')
    })
  })

  it('tells of calls that may have changed something, and of no others', async () => {
    const before = sample.changes()
    await fetch(`${url}/health`)
    await fetch(`${url}/things`, { method: 'OPTIONS', headers: { origin: PORTAL } })
    await fetch(`${url}/in-a-circle`, { method: 'POST' })
    // Answered after the others ended.
    await fetch(`${url}/health`)
    expect(sample.changes() - before).to.equal(1)
  })

  describe('callers', () => {
    it('401 with a challenge-free problem for the visitor where a role is needed', async () => {
      await problem(await fetch(`${url}/things`, { method: 'POST', body: '{}' }), 401, 'credential_missing')
    })

    it('401 for a wrong credential, also where the visitor may look', async () => {
      await problem(
        await fetch(`${url}/things/1`, { headers: { authorization: 'Bearer nobody' } }),
        401,
        'credential_invalid',
      )
    })

    it('403 for a known caller without the role or scope', async () => {
      await problem(await post('{"name":"a"}', { authorization: 'Bearer read-key' }), 403, 'forbidden')
      await problem(
        await fetch(`${url}/things/1`, { headers: { authorization: 'Bearer publish-key' } }),
        403,
        'forbidden',
      )
    })

    it('lets a scope stand for a role, and the visitor in where the call says so', async () => {
      expect(
        (await post('{"name":"a"}', { authorization: 'Bearer publish-key', 'content-type': 'application/json' }))
          .status,
      ).to.equal(201)
      expect((await fetch(`${url}/look`, { method: 'POST', body: '{}' })).status).to.equal(200)
    })

    it('refuses before it reads the body', async () => {
      const answer = await new Promise<number>((resolve, reject) => {
        const headers = { 'content-length': '900', 'content-type': 'application/json' }
        const sent = request(`${url}/things`, { method: 'POST', headers }, (response: IncomingMessage) => {
          resolve(response.statusCode ?? 0)
          sent.destroy()
        })
        sent.on('error', reject)
        sent.flushHeaders()
      })
      expect(answer).to.equal(401)
    })
  })

  describe('CORS', () => {
    const preflight = (origin: string, path = '/things') =>
      fetch(url + path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })

    it('opens calls and their failures to the portal only', async () => {
      expect((await preflight(PORTAL)).status).to.equal(204)
      const failed = await fetch(`${url}/nothing`, { headers: { origin: PORTAL } })
      expect(failed.headers.get('access-control-allow-origin')).to.equal(PORTAL)
      expect(failed.headers.get('vary')).to.contain('origin')
    })

    for (const origin of ['http://127.0.0.1:8081', 'http://evil.example', 'null', `${PORTAL}.evil.example`])
      it(`opens nothing to ${origin}`, async () => {
        expect((await preflight(origin)).headers.has('access-control-allow-origin')).to.equal(false)
        expect(
          (await fetch(`${url}/things/1`, { headers: { origin } })).headers.has('access-control-allow-origin'),
        ).to.equal(false)
      })
  })

  describe('health and metrics', () => {
    afterEach(() => {
      ready = true
    })

    it('says ok, or 503 while it starts', async () => {
      const healthy = await fetch(`${url}/health`)
      expect(healthy.status).to.equal(200)
      expect(await healthy.json()).to.deep.equal({
        status: 'ok',
        service: 'test',
        version: '1.2.3',
        checks: [],
        policies: [],
      })
      ready = false
      const starting = await fetch(`${url}/health`)
      expect([starting.status, ((await starting.json()) as { status: string }).status]).to.deep.equal([503, 'starting'])
    })

    it('measures requests by route pattern, never by address', async () => {
      await fetch(`${url}/things/some-id`)
      const text = await (await fetch(`${url}/metrics`)).text()
      expect(text).to.match(
        /atom_http_seconds_count\{service="test",method="GET",route="\/things\/:id",status="200"\} \d/,
      )
      expect(text).to.not.contain('some-id')
    })

    it('measures without the time that the caller had it wait', async () => {
      await fetch(`${url}/waits`)
      const text = await (await fetch(`${url}/metrics`)).text()
      expect(text).to.match(
        /atom_http_seconds_sum\{service="test",method="GET",route="\/waits",status="204"\} 0(\.0+)?$/m,
      )
    })
  })

  it('goes on with the trace of the caller and starts one where there is none', async () => {
    const trace = async (sent?: string) => {
      const response = await fetch(`${url}/trace`, sent ? { headers: { traceparent: sent } } : {})
      return ((await response.json()) as { traceparent: string }).traceparent
    }
    const sent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(await trace(sent)).to.equal(sent)
    for (const bad of [undefined, 'junk', '00-XX-YY-01'])
      expect(await trace(bad)).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  })
})
