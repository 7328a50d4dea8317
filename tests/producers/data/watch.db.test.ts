import { expect } from 'chai'
import { execute } from '../../../platform/db.ts'
import { silentLog } from '../../../platform/log.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { measureData } from '../../../producers/data/watch.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually, gate } from '../../support/eventually.ts'

describe('producers/data: what is watched', () => {
  let database: TestDatabase
  before(async () => {
    database = await freshDatabase()
  })
  after(() => database.drop())
  const letter = (group: string, code: string) =>
    database.as('postgres').query(
      `insert into platform.dead_letters
         (id, consumer_group, topic, partition, position, key, headers, value, code, reason, attempts, failed_at)
       values (gen_random_uuid(), ?, 'atom.wpk', 0, '1:1', 'k', '{}', '', ?, 'no', 1, now())`,
      [group, code],
    )

  it('counts dead letters by group and code, and forgets those that are gone', async () => {
    const metrics = createMetrics()
    const measure = measureData(database.as('atom_data'), metrics, silentLog)
    await letter('analytics', 'x')
    await letter('analytics', 'x')
    await letter('metering', 'y')
    await measure()
    expect(await metrics.text()).to.contain('atom_dead_letters{group="analytics",code="x"} 2')
    expect(await metrics.text()).to.contain('atom_dead_letters{group="metering",code="y"} 1')
    await database.as('postgres').query('delete from platform.dead_letters')
    await measure()
    expect(await metrics.text()).not.to.contain('atom_dead_letters{')
  })

  it('tells the age of the oldest transaction that has written, of any role', async () => {
    const metrics = createMetrics()
    const measure = measureData(database.as('atom_data'), metrics, silentLog)
    const age = async () => {
      await measure()
      return Number(/^atom_oldest_transaction_seconds (.+)$/m.exec(await metrics.text())?.[1])
    }
    const [written, hold] = [gate(), gate()]
    const open = database.as('atom_analytics').transaction(async (tx) => {
      await execute(tx, "insert into platform.inbox values ('test', decode(repeat('00', 16), 'hex'))")
      written.open()
      await hold.opened
    })
    await written.opened
    await eventually('it grows', async () => (await age()) > 0.05)
    hold.open()
    await open
    expect(await age()).to.equal(0)
  })
})
