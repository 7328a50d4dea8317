import { ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import { execute } from '../../platform/db.ts'
import { wpkReaderChanged } from '../../schemas/events/wpk_reader.changed.ts'

/** Who may read a private package is told what everybody would be told of it, also what happened before. */
export const readerHandler = (): Handler =>
  handler({
    name: 'feeds.readers',
    on: wpkReaderChanged,
    emits: [],
    writes: ['feeds.package_readers'],
    replay: 'apply',
    async handle({ data: { name, reader, access } }, tx) {
      await execute(
        tx,
        access === 'granted'
          ? 'insert into feeds.package_readers (name, reader) values (?, ?) on conflict do nothing'
          : 'delete from feeds.package_readers where name = ? and reader = ?',
        [name, reader],
      )
      return ok()
    },
  })
