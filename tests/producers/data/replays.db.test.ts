import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { freshDatabase } from '../../support/database.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { rebuildContract } from './rebuild.contract.ts'
import { rebuildTroubleContract } from './rebuild-trouble.contract.ts'
import { replayContract } from './replay.contract.ts'
import type { ReplayBackend } from './replay-world.ts'

describe('producers/data: replays on the log in PostgreSQL', function () {
  this.timeout(30_000)
  async function open(): Promise<ReplayBackend> {
    const database = await freshDatabase()
    const bus = openEmbeddedBus({
      server: database.server,
      log: recordingLog().log,
      dbFor: (group) => database.as(`atom_${group}`),
      appender: database.as('atom_app'),
    })
    return {
      bus,
      database,
      brokers: null,
      empty: async () => {},
      async close() {
        await bus.close()
        await database.drop()
      },
    }
  }
  rebuildContract('embedded', open)
  rebuildTroubleContract('embedded', open)
  replayContract('embedded', open)
})
