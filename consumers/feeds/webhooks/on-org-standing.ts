import { ok } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import { execute } from '../../../platform/db.ts'
import { orgReactivated } from '../../../schemas/events/org.reactivated.ts'
import { orgSuspended } from '../../../schemas/events/org.suspended.ts'

/** A suspended organisation reads nothing, so its calls wait, and are made when it may act again. */
export const standingHandlers = (): Handler[] =>
  [
    { on: orgSuspended, paused: true },
    { on: orgReactivated, paused: false },
  ].map(({ on, paused }) =>
    handler({
      name: `feeds.webhooks.${on.type}`,
      on,
      emits: [],
      writes: ['feeds.webhooks'],
      replay: 'apply',
      async handle({ data }, tx) {
        await execute(tx, 'update feeds.webhooks set paused = ? where org = ?', [paused, data.org])
        return ok()
      },
    }),
  )
