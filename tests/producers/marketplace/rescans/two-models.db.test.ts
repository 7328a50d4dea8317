import { openEmbeddedBus } from '../../../../platform/bus/embedded.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { twoModelsContract } from './two-models.contract.ts'

twoModelsContract('embedded', async (_market, database) => {
  const { log } = recordingLog()
  const of = (role: 'atom_marketplace' | 'atom_governance') => {
    const db = database.as(role)
    return openEmbeddedBus({ server: database.server, log, appender: db, dbFor: () => db })
  }
  const buses = { atom_marketplace: of('atom_marketplace'), atom_governance: of('atom_governance') }
  return {
    busOf: (role) => buses[role],
    async close() {
      await buses.atom_marketplace.close()
      await buses.atom_governance.close()
    },
  }
})
