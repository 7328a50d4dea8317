import { openEmbeddedBus } from '../../platform/bus/embedded.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { recordingLog } from '../support/recording-log.ts'
import { type BusBackend, busContract } from './bus.contract.ts'
import { deadLetterContract } from './dead-letters.contract.ts'

describe('platform/bus/embedded', () => {
  let database: TestDatabase
  before(async () => {
    database = await freshDatabase()
    for (const sql of [
      'create table public.effects (key text, n int, at bigint generated always as identity)',
      'create table public.numbers (n int primary key)',
      'grant all on public.effects, public.numbers to atom_marketplace',
    ])
      await database.as('postgres').query(sql)
  })
  after(() => database.drop())

  const openBackend = async (): Promise<BusBackend> => {
    const owner = database.as('postgres')
    await owner.query(
      'truncate platform.event_log, platform.cursors, platform.inbox, platform.dead_letters, platform.group_stops, public.effects, public.numbers',
    )
    const db = database.as('atom_marketplace')
    const bus = openEmbeddedBus({ server: database.server, log: recordingLog().log, dbFor: () => db, appender: db })
    const overstay = async () => {
      await owner.query("update platform.event_log set recorded_at = recorded_at - interval '3 days'")
      return async () => {}
    }
    return { bus, db, owner, overstay, relayed: async () => true, close: bus.close }
  }
  busContract('embedded', { membersOfAGroup: 'one active' }, openBackend)
  deadLetterContract('embedded', openBackend)
})
