import { ok } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import type { Clock } from '../../../platform/clock.ts'
import { wpkBlocked } from '../../../schemas/events/wpk.blocked.ts'
import { wpkRejected } from '../../../schemas/events/wpk.rejected.ts'
import { wpkYanked } from '../../../schemas/events/wpk.yanked.ts'
import { quarantineVersion } from './quarantine-version.ts'

const CAUSES = [
  ['rejected', wpkRejected],
  ['yanked', wpkYanked],
  ['blocked', wpkBlocked],
] as const

/** Usage of a version that is rejected, yanked or blocked is quarantined, whether it was counted already or comes later. */
export const onWithdrawn = (now: Clock): Handler[] =>
  CAUSES.map(([cause, on]) =>
    handler({
      name: `metering.on-wpk-${cause}`,
      on,
      emits: [],
      writes: ['package_versions', 'quarantines', 'invoices', 'late_periods'].map((name) => `metering.${name}`),
      async handle({ data, time }, tx) {
        const { org, name, version, reason } = data
        const bad = { partner: org, package: name, version, cause, reason, at: new Date(time) }
        await quarantineVersion(tx, bad, now())
        return ok()
      },
    }),
  )
