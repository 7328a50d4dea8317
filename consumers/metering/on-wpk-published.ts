import { ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import { execute } from '../../platform/db.ts'
import { wpkPublished } from '../../schemas/events/wpk.published.ts'

/** Remembers who earns from a package; a plan can only be sold for a package that is public. */
export const onWpkPublished: Handler = handler({
  name: 'metering.on-wpk-published',
  on: wpkPublished,
  emits: [],
  writes: ['metering.packages'],
  async handle(event, tx) {
    const { org, name, published_at } = event.data
    await execute(
      tx,
      'insert into metering.packages (partner, package, published_at) values (?, ?, ?) on conflict do nothing',
      [org, name, published_at],
    )
    return ok()
  },
})
