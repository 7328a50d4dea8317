import { expect } from 'chai'
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

  const hold = (name = 'group/a') => {
    const lock = holdSessionLock(database.server, 'atom_metering', name, 5)
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
