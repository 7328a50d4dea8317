import { ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import { execute } from '../../platform/db.ts'
import { kindOf, toldEvents } from './told-events.ts'

/**
 * Puts an event into the feed with the next number, and plans a call of each webhook that wants it, in one statement:
 * whoever has a number holds the sequence until the commit, so numbers become visible in their order.
 */
export const toldHandlers = ({ now }: { now: Clock }): Handler[] =>
  toldEvents.map(({ definition, audience }) =>
    handler({
      name: `feeds.${definition.type}`,
      on: definition,
      emits: [],
      writes: ['feeds.sequence', 'feeds.events', 'feeds.deliveries'],
      replay: 'apply',
      async handle(event, tx) {
        const { org, public: isPublic, package: name } = audience(event.data)
        const { id, type } = event
        const at = now()
        await execute(
          tx,
          `with next as (update feeds.sequence set last = last + 1 returning last),
             told as (insert into feeds.events (seq, org, public, type, package, event_id, event, recorded_at)
               select last, ?, ? and not exists (select 1 from feeds.private_packages p where p.name = ?),
                 ?, ?, ?, ?, ? from next returning seq, public)
           insert into feeds.deliveries (org, webhook_id, seq, event_id, type, next_attempt_at, created_at)
           select w.org, w.id, told.seq, ?, ?, ?, ? from feeds.webhooks w, told
           where w.state = 'on' and (w.org = ? or told.public or ? and exists (
               select 1 from feeds.package_readers r where r.reader = w.org and r.name = ?)) and (w.types is null or w.types && ?::text[])`,
          [
            ...[org, isPublic, name, type, name, id, JSON.stringify(event), at],
            ...[id, type, at, at, org, isPublic, name, [type, kindOf(type)]],
          ],
        )
        return ok()
      },
    }),
  )
