import { openBilling } from '../fixture.ts'
import { reratingContract } from './rerating.contract.ts'

describe('consumers/metering: POST /billing/replay', () => {
  reratingContract(
    'embedded',
    async (start) => {
      const billing = await openBilling(start)
      return {
        billing,
        async trim() {
          await billing.owner("delete from platform.event_log where topic = 'atom.usage'")
          await billing.owner("insert into platform.expired_events values ('atom.usage', 3, '2026-10-20T10:00:00Z')")
        },
        close: () => billing.close(),
      }
    },
    true,
  )
})
