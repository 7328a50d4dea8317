import { ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import { execute } from '../../platform/db.ts'
import { wpkPublished } from '../../schemas/events/wpk.published.ts'
import { admitVersion } from './quarantine/quarantine-version.ts'

/**
 * Remembers who earns from a package, and which versions of it are billed; a plan can only be sold for a package that is
 * public.
 */
export const onWpkPublished = (now: Clock): Handler =>
  handler({
    name: 'metering.on-wpk-published',
    on: wpkPublished,
    emits: [],
    writes: ['packages', 'package_versions', 'quarantines', 'invoices', 'late_periods'].map(
      (name) => `metering.${name}`,
    ),
    async handle(event, tx) {
      const { org, name, version, published_at } = event.data
      await execute(
        tx,
        'insert into metering.packages (partner, package, published_at) values (?, ?, ?) on conflict do nothing',
        [org, name, published_at],
      )
      await admitVersion(tx, { partner: org, package: name, version, at: new Date(published_at) }, now())
      return ok()
    },
  })
