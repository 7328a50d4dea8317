import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import { callWebhook } from '../../../../consumers/feeds/webhooks/call-webhook.ts'
import { type Receiver, startReceiver } from '../../../support/webhook-receiver.ts'

const anywhere = { allowPrivate: true }
const publicOnly = { allowPrivate: false }
type Found = { address: string; family: number }
/** Names that resolve to what the test says, in turn. */
const resolving = (...answers: Found[][]) => {
  let n = 0
  return (_name: string, _options: unknown, done: (error: Error | null, found: Found[]) => void) => {
    const found = answers[Math.min(n, answers.length - 1)] as Found[]
    n += 1
    setImmediate(() => done(null, found))
  }
}
const loopback = { address: '127.0.0.1', family: 4 }

describe('consumers/feeds/webhooks: one call', () => {
  let receiver: Receiver
  before(async () => {
    receiver = await startReceiver()
  })
  after(() => receiver.close())
  const call = (path: string, more: Partial<Parameters<typeof callWebhook>[1]> = {}) =>
    callWebhook({ url: receiver.url(path), headers: { 'webhook-id': 'a' }, body: '{}' }, { rules: anywhere, ...more })

  it('posts the body and headers', async () => {
    expect(await call('/fine')).to.deep.include({ ok: true, status: 204, code: null })
    const [got] = receiver.at('/fine')
    expect(got?.body).to.equal('{}')
    expect(got?.headers).to.include({ 'webhook-id': 'a', 'content-type': 'application/cloudevents+json' })
  })

  it('tells a failure by its status, and for how long to stay away', async () => {
    receiver.behave('/bad', (response) => response.writeHead(500).end('x'))
    expect(await call('/bad')).to.deep.include({ ok: false, status: 500, code: 'bad_status' })
    receiver.behave('/busy', (response) => response.writeHead(429, { 'retry-after': '120' }).end())
    expect(await call('/busy')).to.deep.include({ code: 'bad_status', retryAfterMs: 120_000 })
    receiver.behave('/rude', (response) => response.writeHead(503, { 'retry-after': '999999999' }).end())
    expect(await call('/rude')).to.deep.include({ retryAfterMs: 3_600_000 })
  })

  it('follows no redirect, wherever it leads', async () => {
    for (const location of ['http://169.254.169.254/latest/meta-data', receiver.url('/secret')]) {
      receiver.behave('/moved', (response) => response.writeHead(302, { location }).end())
      expect(await call('/moved')).to.deep.include({ ok: false, status: 302, code: 'redirected' })
    }
    expect(receiver.at('/secret')).to.deep.equal([])
  })

  it('gives up on silence, and on an answer that drips', async () => {
    receiver.behave('/silent', () => {})
    expect(await call('/silent', { timeoutMs: 60 })).to.deep.include({ ok: false, status: null, code: 'timed_out' })
    const drip = createServer((socket) => {
      const timer = setInterval(() => socket.write('H'), 20)
      socket.on('close', () => clearInterval(timer)).on('error', () => {})
    })
    const port = await listening(drip)
    const url = `http://127.0.0.1:${port}/`
    const begun = performance.now()
    const found = await callWebhook({ url, headers: {}, body: '' }, { rules: anywhere, timeoutMs: 100 })
    expect(found.ok).to.equal(false)
    expect(performance.now() - begun).to.be.lessThan(5_000)
    drip.close()
  })

  it('reads no more of an answer than a little', async () => {
    let written = 0
    receiver.behave('/huge', (response) => {
      response.writeHead(200)
      const chunk = Buffer.alloc(65_536)
      const more = () => {
        while (!response.destroyed && written < 200_000_000) {
          written += chunk.length
          if (!response.write(chunk)) return void response.once('drain', more)
        }
      }
      more()
    })
    expect(await call('/huge')).to.deep.include({ ok: true, status: 200 })
    expect(written).to.be.lessThan(50_000_000)
  })

  it('does not wait for a body that never ends', async () => {
    receiver.behave('/endless', (response) => response.writeHead(200).write('a'))
    const begun = performance.now()
    expect(await call('/endless')).to.deep.include({ ok: true, status: 200 })
    expect(performance.now() - begun).to.be.lessThan(5_000)
  })

  it('tells lost connections, closed ports and what is not HTTP apart', async () => {
    receiver.behave('/reset', (response) => response.destroy())
    expect((await call('/reset')).code).to.equal('connection_lost')
    const noise = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('garbage\r\n\r\n'),
    )
    const port = await listening(noise)
    const post = (at: number) =>
      callWebhook({ url: `http://127.0.0.1:${at}/`, headers: {}, body: '' }, { rules: anywhere })
    expect((await post(port)).code).to.equal('not_http')
    noise.close()
    await once(noise, 'close')
    expect((await post(port)).code).to.equal('unreachable')
  })

  describe('to addresses that are not public', () => {
    let sockets = 0
    let trap: ReturnType<typeof createServer>
    let port: number
    before(async () => {
      trap = createServer((socket: Socket) => {
        sockets += 1
        socket.destroy()
      })
      port = await listening(trap)
    })
    after(() => trap.close())
    const post = (resolve: ReturnType<typeof resolving>) =>
      callWebhook(
        { url: `https://hooks.example.com:${port}/`, headers: {}, body: '' },
        { rules: publicOnly, resolve: resolve as never, timeoutMs: 500 },
      )

    for (const address of ['127.0.0.1', '169.254.169.254', '::1', '::ffff:127.0.0.1', 'fd00::1', '10.0.0.1', '0.0.0.0'])
      it(`makes no connection when the name resolves to ${address}`, async () => {
        const found = await post(resolving([{ address, family: address.includes(':') ? 6 : 4 }]))
        expect(found).to.deep.include({ ok: false, status: null, code: 'address_refused' })
        expect(sockets).to.equal(0)
      })

    it('makes none when one of several addresses is refused', async () => {
      const found = await post(resolving([{ address: '192.0.0.171', family: 4 }, loopback]))
      expect(found.code).to.equal('address_refused')
      expect(sockets).to.equal(0)
    })

    it('asks for the name each time, so that one that changes its mind gains nothing', async () => {
      const resolve = resolving([{ address: '2606:4700::1111', family: 6 }], [loopback])
      expect((await post(resolve)).code).not.to.equal('address_refused')
      expect((await post(resolve)).code).to.equal('address_refused')
      expect(sockets).to.equal(0)
    })

    it('makes none to an address in the URL itself', async () => {
      for (const url of [`https://127.0.0.1:${port}/`, `https://2130706433:${port}/`, `http://localhost:${port}/`])
        expect((await callWebhook({ url, headers: {}, body: '' }, { rules: publicOnly })).code).to.equal(
          'address_refused',
        )
      expect(sockets).to.equal(0)
    })
  })
})

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
