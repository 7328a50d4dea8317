import { expect } from 'chai'
import { createLifecycle } from '../../platform/lifecycle.ts'
import type { Log } from '../../platform/log.ts'
import { gate } from '../support/eventually.ts'
import { recordingLog } from '../support/recording-log.ts'

describe('platform/lifecycle', () => {
  const closing = (log: Log) => {
    const closed: string[] = []
    const lifecycle = createLifecycle(log)
    const open = (name: string, close: () => void | Promise<void> = () => {}) =>
      lifecycle.onClose(name, async () => {
        closed.push(name)
        await close()
      })
    return { lifecycle, open, closed }
  }

  it('closes the last opened first, each after the one before it', async () => {
    const { lifecycle, open, closed } = closing(recordingLog().log)
    const slow = gate()
    open('database')
    open('bus')
    open('service', () => slow.opened)
    const done = lifecycle.close()
    expect(closed).to.deep.equal(['service'])
    slow.open()
    await done
    expect(closed).to.deep.equal(['service', 'bus', 'database'])
  })

  it('goes on after a failure and says which part failed', async () => {
    const { log, lines } = recordingLog()
    const { lifecycle, open, closed } = closing(log)
    open('database')
    open('bus', () => {
      throw new Error('stuck')
    })
    await lifecycle.close()
    expect(closed).to.deep.equal(['bus', 'database'])
    expect(lines).to.deep.equal([
      { level: 'error', message: 'closing failed', fields: { part: 'bus', error: 'stuck' } },
    ])
  })

  it('closes once when asked twice', async () => {
    const { lifecycle, open, closed } = closing(recordingLog().log)
    open('database')
    await Promise.all([lifecycle.close(), lifecycle.close()])
    await lifecycle.close()
    expect(closed).to.deep.equal(['database'])
  })
})
