import { expect } from 'chai'
import pg from 'pg'
import { connectionFor } from '../../platform/db.ts'
import { silentLog } from '../../platform/log.ts'
import { holdSessionLock, type SessionLock } from '../../platform/session-lock.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

describe('platform/session-lock', () => {
  let database: TestDatabase
  let locks: SessionLock[]
  before(async () => {
    database = await freshDatabase()
  })
  beforeEach(() => {
    locks = []
  })
  afterEach(() => Promise.all(locks.map((lock) => lock.release())))
  after(() => database.drop())

  const hold = (name = 'group/a', silentMs = 60_000) => {
    const { server } = database
    const lock = holdSessionLock({ server, role: 'atom_metering', name, everyMs: 5, log: silentLog, silentMs })
    locks.push(lock)
    return lock
  }
  const holders = () =>
    database
      .as('postgres')
      .query<{ pid: number }>(
        "select pid from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())",
      )

  it('is held by one at a time, and by the next after its release', async () => {
    const first = hold()
    await eventually('the first holds it', first.held)
    const second = hold()
    const other = hold('group/b')
    await eventually('another name is free', other.held)
    expect(second.held()).to.equal(false)
    await first.release()
    expect(first.held()).to.equal(false)
    await eventually('the second holds it', second.held)
  })

  it('is known to be lost, and taken again, when its connection dies', async () => {
    const lock = hold()
    await eventually('it is held', lock.held)
    const [holder] = await holders()
    await database.as('postgres').query('select pg_terminate_backend(?)', [holder?.pid])
    await eventually(
      'it is held by another connection',
      async () => lock.held() && (await holders())[0]?.pid !== holder?.pid,
    )
  })

  it('is taken from a session that lives and says nothing, as one of a frozen process does', async () => {
    const frozen = new pg.Client(connectionFor(database.server, 'atom_metering'))
    const errors: unknown[] = []
    frozen.on('error', (error: Error & { code?: string }) => errors.push(error.code))
    await frozen.connect()
    await frozen.query("select pg_advisory_lock(hashtextextended('group/a', 0))")
    const patient = hold()
    const next = hold('group/a', 200)
    await eventually('the next holds it', next.held)
    await eventually('it was told to go', () => errors.includes('57P01'))
    expect(patient.held()).to.equal(false)
  })

  it('is left with a holder that says something now and then', async () => {
    const silentMs = 1_000
    const first = hold('group/a', silentMs)
    await eventually('the first holds it', first.held)
    const second = hold('group/a', silentMs)
    const signs = new Set<number>()
    await eventually('it was heard of for longer than it may be silent', async () => {
      const [holder] = await holders()
      const [seen] = await database
        .as('postgres')
        .query<{ at: Date }>('select state_change as at from pg_stat_activity where pid = ?', [holder?.pid])
      if (seen) signs.add(seen.at.getTime())
      return Math.max(...signs) - Math.min(...signs) > 2 * silentMs
    })
    expect([first.held(), second.held()]).to.deep.equal([true, false])
  })

  it('leaves no connection behind when it is released before it was held', async () => {
    await hold().release()
    const lock = hold()
    await new Promise((resolve) => setImmediate(resolve))
    await lock.release()
    await eventually('no session is left', async () => {
      const sessions = await database
        .as('postgres')
        .query('select 1 from pg_stat_activity where datname = current_database() and usename = ?', ['atom_metering'])
      return sessions.length === 0
    })
    expect([lock.held(), await holders()]).to.deep.equal([false, []])
  })
})
