import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { lockFile } from '../../platform/file-lock.ts'
import { rejected } from '../support/rejected.ts'

describe('platform/file-lock', () => {
  let folder: string
  const path = () => join(folder, 'start.lock')
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atom-lock-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('lets one in at a time, in turn, and leaves nothing behind', async () => {
    let inside = 0
    let most = 0
    const enter = async () => {
      const release = await lockFile(path(), 5_000, 'busy')
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
      await release()
    }
    await Promise.all([enter(), enter(), enter()])
    expect(most).to.equal(1)
    expect(await readdir(folder)).to.deep.equal([])
  })

  it('does not take the lock of the next one when released twice', async () => {
    const first = await lockFile(path(), 0, 'busy')
    await first()
    const second = await lockFile(path(), 0, 'busy')
    await first()
    expect(await readdir(folder)).to.deep.equal(['start.lock'])
    await second()
  })

  it('says who holds it after the wait', async () => {
    const release = await lockFile(path(), 0, 'busy')
    expect((await rejected(lockFile(path(), 0, 'starting here'))).message).to.equal(
      `process ${process.pid} is still starting here`,
    )
    await release()
  })

  for (const [whose, content] of [
    ['a process that is gone', () => String(spawnSync(process.execPath, ['-e', '']).pid)],
    ['nobody, because its writer was killed', () => ''],
  ] as const)
    it(`takes over the lock of ${whose}`, async () => {
      await writeFile(path(), content())
      const release = await lockFile(path(), 1_000, 'busy')
      await release()
    })
})
