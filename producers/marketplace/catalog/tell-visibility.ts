import { publish } from '../../../platform/bus/outbox.ts'
import type { Tx } from '../../../platform/db.ts'
import type { Call } from '../../../platform/http/route.ts'
import { wpkVisibilityChanged } from '../../../schemas/events/wpk_visibility.changed.ts'
import { SOURCE } from '../deps.ts'
import { actorOf } from '../review/reviewable.ts'
import type { Visibility } from './visibility.ts'

/** Publishes that a package is public or private from now on. The transaction holds the lock of its name. */
export async function tellVisibility(
  tx: Tx,
  changed: { org: string; name: string; visibility: Visibility },
  { call, now }: { call: Call; now: Date },
): Promise<void> {
  const data = { ...changed, by: actorOf(call.principal) }
  const about = { source: SOURCE, now, subject: changed.name, traceparent: call.traceparent }
  await publish(tx, wpkVisibilityChanged, [wpkVisibilityChanged.create(data, about)])
}
