import type { Analyzer } from '../consumers/governance/analyzer.ts'
import type { Db } from '../platform/db.ts'
import { createMetrics } from '../platform/metrics.ts'
import { consumerGroups } from '../services.ts'

/** Who reacts to an event type: consumer group and handler. */
export type Reaction = { group: string; handler: string; type: string; emits: string[] }

/** Every reaction of the system, from the handlers that the services run. */
export function reactions(): Reaction[] {
  // Handlers are looked at, not run: what only they would touch need not be there.
  const unused = {} as { db: Db; analyzer: Analyzer }
  const metrics = createMetrics()
  return Object.entries(consumerGroups).flatMap(([group, handlersOf]) =>
    handlersOf({ metrics, ...unused }).map(({ name, on, emits }) => ({
      group,
      handler: name,
      type: on.type,
      emits: emits.map(({ type }) => type),
    })),
  )
}
