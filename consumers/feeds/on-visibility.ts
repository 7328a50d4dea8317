import { ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import { execute } from '../../platform/db.ts'
import { wpkVisibilityChanged } from '../../schemas/events/wpk_visibility.changed.ts'
import { publicTypes } from './told-events.ts'

/**
 * What is told of a private package is its publisher's alone, also what everybody was told before: events of a package
 * come in order, so the last change is how it stands.
 */
export const visibilityHandler = (): Handler =>
  handler({
    name: 'feeds.visibility',
    on: wpkVisibilityChanged,
    emits: [],
    writes: ['feeds.private_packages', 'feeds.events'],
    replay: 'apply',
    async handle({ data: { org, name, visibility } }, tx) {
      if (visibility === 'private')
        await execute(tx, 'insert into feeds.private_packages (org, name) values (?, ?) on conflict do nothing', [
          org,
          name,
        ])
      else await execute(tx, 'delete from feeds.private_packages where name = ?', [name])
      await execute(
        tx,
        'update feeds.events set public = ? where package = ? and type = any(?::text[]) and public <> ?',
        [visibility === 'public', name, publicTypes, visibility === 'public'],
      )
      return ok()
    },
  })
