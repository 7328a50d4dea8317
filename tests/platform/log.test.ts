import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openLog } from '../../platform/log.ts'

describe('platform/log', () => {
  it('writes JSON lines with the child fields and hides credentials', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atom-test-log-'))
    const file = join(folder, 'deep', 'atom.log')
    const log = openLog({ level: 'info', file }).child({ group: 'metering' })
    log.debug('not this')
    log.info('started', { token: 'sesame', api_key: 'atom_x', headers: { authorization: 'Bearer y' }, port: 8050 })
    const lines = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).to.have.length(1)
    expect(lines[0]).to.include({
      msg: 'started',
      group: 'metering',
      port: 8050,
      token: '[Redacted]',
      api_key: '[Redacted]',
    })
    expect(lines[0].headers.authorization).to.equal('[Redacted]')
    await rm(folder, { recursive: true })
  })
})
