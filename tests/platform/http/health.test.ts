import { expect } from 'chai'
import { createHealth, type HealthCheck } from '../../../platform/http/health.ts'
import type { PolicyStatus } from '../../../platform/policies.ts'
import { type LogLine, recordingLog } from '../../support/recording-log.ts'

describe('platform/http/health', () => {
  let lines: LogLine[]
  const health = (checks: HealthCheck[], policies: PolicyStatus[] = [], ready = true) => {
    const recording = recordingLog()
    lines = recording.lines
    return createHealth({
      service: 's',
      version: '1',
      checks,
      policies: async () => policies,
      ready: () => ready,
      log: recording.log,
      now: () => new Date(0),
    })
  }
  const report = (...of: Parameters<typeof health>) => health(...of).report()
  const ok: HealthCheck = { name: 'database', run: async () => ({ status: 'ok', detail: 'fine' }) }

  it('is ok while every check is', async () => {
    expect(await report([ok])).to.deep.include({
      status: 'ok',
      checks: [{ name: 'database', status: 'ok', detail: 'fine' }],
    })
  })

  it('is degraded by a failed check, a throwing one, or a violated policy', async () => {
    const failed: HealthCheck = {
      name: 'lag',
      run: async () => ({ status: 'failed', code: 'group_behind', detail: '90 s behind' }),
    }
    const broken: HealthCheck = {
      name: 'model',
      run: async () => {
        throw new Error('gone')
      },
    }
    expect((await report([ok, failed])).status).to.equal('degraded')
    expect(await report([broken])).to.deep.include({
      status: 'degraded',
      checks: [
        {
          name: 'model',
          status: 'failed',
          code: 'check_failed',
          detail: 'the check could not be made; the log says why',
        },
      ],
    })
    expect((await report([ok], [{ id: 'P-1', status: 'violated', detail: '' }])).status).to.equal('degraded')
    expect((await report([ok], [{ id: 'P-1', status: 'not_applicable', detail: '' }])).status).to.equal('ok')
  })

  it('is starting until it is ready, whatever the checks say', async () => {
    expect((await report([ok], [], false)).status).to.equal('starting')
  })

  it('shows nobody what a driver said, and logs it once', async () => {
    const inside = 'connect ENOENT /home/somebody/.atom/sockets/.s.PGSQL.5432'
    let said = inside
    const broken: HealthCheck = {
      name: 'database',
      run: async () => {
        throw Object.assign(new Error(said), { code: 'ENOENT' })
      },
    }
    const why: HealthCheck = {
      name: 'model',
      run: async () => ({ status: 'failed', code: 'model_unusable', detail: 'plain', cause: '/srv/model.onnx' }),
    }
    const one = health([broken, why])
    const first = await one.report()
    await one.report()
    expect(first.checks).to.deep.equal([
      {
        name: 'database',
        status: 'failed',
        code: 'database_unreachable',
        detail: 'the database cannot be reached; the log says why',
      },
      { name: 'model', status: 'failed', code: 'model_unusable', detail: 'plain' },
    ])
    const logged = () => lines.map(({ level, fields }) => [level, fields])
    const both = [
      ['error', { service: 's', name: 'database', error: inside }],
      ['error', { service: 's', name: 'model', error: '/srv/model.onnx' }],
    ]
    expect(logged()).to.deep.equal(both)
    said = 'connect ECONNREFUSED'
    await one.report()
    expect(logged()).to.deep.equal([...both, ['error', { service: 's', name: 'database', error: said }]])
  })

  it('does not wait for a check that hangs', async () => {
    const hanging: HealthCheck = { name: 'broker', run: () => new Promise(() => {}) }
    const { status, checks } = await report([hanging])
    expect(status).to.equal('degraded')
    expect(checks[0]).to.include({ code: 'check_timeout', detail: 'no answer within 2 s' })
  })
})
