import { expect } from 'chai'
import { createHealth, type HealthCheck } from '../../../platform/http/health.ts'
import type { PolicyStatus } from '../../../platform/policies.ts'

describe('platform/http/health', () => {
  const report = (checks: HealthCheck[], policies: PolicyStatus[] = [], ready = true) =>
    createHealth({
      service: 's',
      version: '1',
      checks,
      policies: async () => policies,
      ready: () => ready,
      now: () => new Date(0),
    }).report()
  const ok: HealthCheck = { name: 'database', run: async () => ({ status: 'ok', detail: 'fine' }) }

  it('is ok while every check is', async () => {
    expect(await report([ok])).to.deep.include({
      status: 'ok',
      checks: [{ name: 'database', status: 'ok', detail: 'fine' }],
    })
  })

  it('is degraded by a failed check, a throwing one, or a violated policy', async () => {
    const failed: HealthCheck = { name: 'lag', run: async () => ({ status: 'failed', detail: '90 s behind' }) }
    const broken: HealthCheck = {
      name: 'model',
      run: async () => {
        throw new Error('gone')
      },
    }
    expect((await report([ok, failed])).status).to.equal('degraded')
    expect(await report([broken])).to.deep.include({
      status: 'degraded',
      checks: [{ name: 'model', status: 'failed', detail: 'gone' }],
    })
    expect((await report([ok], [{ id: 'P-1', status: 'violated', detail: '' }])).status).to.equal('degraded')
    expect((await report([ok], [{ id: 'P-1', status: 'not_applicable', detail: '' }])).status).to.equal('ok')
  })

  it('is starting until it is ready, whatever the checks say', async () => {
    expect((await report([ok], [], false)).status).to.equal('starting')
  })

  it('does not wait for a check that hangs', async () => {
    const hanging: HealthCheck = { name: 'broker', run: () => new Promise(() => {}) }
    const { status, checks } = await report([hanging])
    expect(status).to.equal('degraded')
    expect(checks[0]?.detail).to.contain('2 s')
  })
})
