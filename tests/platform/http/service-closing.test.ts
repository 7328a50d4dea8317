import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { expect } from 'chai'
import { createHealth } from '../../../platform/http/health.ts'
import { everyone, type Route } from '../../../platform/http/route.ts'
import { createService, listen } from '../../../platform/http/service.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { gate } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'

describe('platform/http/service: closing', () => {
  const serviceOf = (routes: Route[]) =>
    createService({
      name: 'x',
      routes,
      authenticate: async () => ({ org: 'demo', subject: 'visitor', roles: [], scopes: ['read'], kind: 'visitor' }),
      health: createHealth({
        service: 'x',
        version: '1',
        checks: [],
        policies: async () => [],
        ready: () => true,
        log: recordingLog().log,
        now: () => new Date(0),
      }),
      metrics: createMetrics(),
      log: recordingLog().log,
      corsOrigins: [],
    })
  const startSlow = (until: Promise<void>) => {
    const handle = async () => {
      await until
      return { status: 200, body: {} }
    }
    return listen(
      serviceOf([{ method: 'GET', path: '/slow', summary: '', access: everyone, handle }]),
      'x',
      0,
      '127.0.0.1',
    )
  }

  it('frees the port within 3 s although clients keep connections open', async () => {
    const running = await startSlow(Promise.resolve())
    const agent = new Agent({ keepAlive: true })
    await new Promise<void>((resolve, reject) =>
      request({ port: running.port, path: '/health', agent }, (response) => response.resume().on('end', resolve))
        .on('error', reject)
        .end(),
    )
    const silent = connect(running.port, '127.0.0.1').on('error', () => {})
    await new Promise((resolve) => silent.once('connect', resolve))
    silent.write('GET /slow HTTP/1.1\r\nhost: x\r\n')
    const begun = performance.now()
    await running.close()
    expect(performance.now() - begun).to.be.lessThan(3_000)
    await listen(serviceOf([]), 'again', running.port, '127.0.0.1').then((again) => again.close())
    agent.destroy()
    silent.destroy()
  })

  it('finishes what it is answering', async () => {
    const slow = gate()
    const running = await startSlow(slow.opened)
    const answer = fetch(`http://127.0.0.1:${running.port}/slow`)
    await fetch(`http://127.0.0.1:${running.port}/health`)
    const done = running.close()
    slow.open()
    expect((await answer).status).to.equal(200)
    await done
  })

  it('names the setting when the port is taken', async () => {
    const running = await listen(serviceOf([]), 'first', 0, '127.0.0.1')
    const failure = await listen(serviceOf([]), 'marketplace', running.port, '127.0.0.1').catch(
      (error: Error) => error.message,
    )
    await running.close()
    expect(failure).to.equal(`port ${running.port} is taken; stop what uses it or set ATOM_PORT_MARKETPLACE`)
  })
})
