import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { openDb } from '../../../platform/db.ts'
import { type EmbeddedServer, startEmbeddedPostgres } from '../../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../../platform/log.ts'
import { eventually } from '../../support/eventually.ts'

const module_ = fileURLToPath(new URL('../../../platform/embedded-postgres/server.ts', import.meta.url))
const logModule = fileURLToPath(new URL('../../../platform/log.ts', import.meta.url))

describe('platform/embedded-postgres/server', function () {
  this.timeout(30_000)
  let home: string
  let socketFolder: string
  let child: ChildProcess | undefined
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'atom-test-server-'))
    await chmod(home, 0o711)
  })
  after(async () => {
    child?.kill('SIGKILL')
    await rm(home, { recursive: true, force: true })
    if (socketFolder) await rm(socketFolder, { recursive: true, force: true })
  })

  const query = async (server: Pick<EmbeddedServer, 'socketFolder'>, sql: string) => {
    const db = openDb({ socketFolder: server.socketFolder, database: 'postgres' }, 'postgres', 1)
    return db.query(sql).finally(db.close)
  }
  const pid = async () =>
    Number((await readFile(join(home, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '0')).split('\n')[0])
  const alive = (process_: number) => {
    try {
      process.kill(process_, 0)
      return true
    } catch {
      return false
    }
  }

  it('starts, is joined by a second starter, and stops without leaving a process', async () => {
    const [first, second] = await Promise.all([
      startEmbeddedPostgres(home, silentLog),
      startEmbeddedPostgres(home, silentLog),
    ])
    socketFolder = first.socketFolder
    expect([first.adopted, second.adopted].sort()).to.deep.equal([false, true])
    expect(second.socketFolder).to.equal(first.socketFolder)
    await query(second, 'create table kept (n int)')
    expect(await query(first, 'show listen_addresses')).to.deep.equal([{ listen_addresses: '' }])
    const server = await pid()
    const [owner, guest] = first.adopted ? [second, first] : [first, second]
    await guest.stop()
    expect(alive(server), 'a guest stops nothing').to.equal(true)
    await owner.stop()
    expect(alive(server)).to.equal(false)
  })

  it('ends with the process that started it, however that ended, and keeps its data', async () => {
    const script = `
      const { startEmbeddedPostgres } = await import(${JSON.stringify(module_)})
      const { silentLog } = await import(${JSON.stringify(logModule)})
      await startEmbeddedPostgres(${JSON.stringify(home)}, silentLog)
      console.log('started')
      setInterval(() => {}, 1000)`
    const starter = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child = starter
    const exited = once(starter, 'exit')
    await once(starter.stdout, 'data')
    const server = await pid()
    expect(alive(server)).to.equal(true)
    starter.kill('SIGKILL')
    await exited
    const again = await startEmbeddedPostgres(home, silentLog)
    expect(again.adopted).to.equal(false)
    expect(await query(again, 'select * from kept')).to.deep.equal([])
    await again.stop()
    await eventually('the orphan is gone', () => !alive(server))
  })
})
