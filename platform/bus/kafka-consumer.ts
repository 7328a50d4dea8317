import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { ConsumeOptions, Consuming } from './bus.ts'
import type { Kafka } from './kafka.ts'
import type { Admin } from './kafka-admin.ts'
import { type Member, type MemberDeps, openMember } from './kafka-member.ts'
import { readLag } from './kafka-places.ts'
import { restartCounter } from './watch-consumer.ts'

type Deps = {
  kafka: Kafka
  admin: Admin
  log: Log
  metrics: Metrics
  retry: MemberDeps['retry']
  /** Members on their way out: leaving waits for an open fetch, and nobody but the bus has to wait for that. */
  leaving: Set<Promise<void>>
}

const RESTART_AFTER_MS = 500

/** A member of the group for as long as it is not stopped: one that crashes or hangs is replaced and counted. */
export function startKafkaConsumer(deps: Deps, options: ConsumeOptions): Consuming {
  const { kafka, admin, metrics, leaving } = deps
  const log = deps.log.child({ group: options.group })
  const restarts = restartCounter(metrics)
  const resets = metrics.counter('atom_bus_position_resets_total', 'Cursors that did not fit the log any more', [
    'group',
    'topic',
    'reason',
  ])
  const rebalances = metrics.counter('atom_bus_rebalances_total', 'Partitions assigned anew', ['group'])
  const halt = new AbortController()
  const finder = { options, admin, log, resets }
  let member: Member | undefined
  let signs = 0

  async function supervise(): Promise<void> {
    while (!halt.signal.aborted) {
      member = openMember(
        {
          kafka,
          retry: deps.retry,
          finder,
          log,
          halt: halt.signal,
          joined: () => rebalances.inc({ group: options.group }),
          sign: () => {
            signs += 1
          },
        },
        options,
      )
      const reason = await member.ended
      // The watchdog counts and logs what it found stuck.
      if (reason === 'crashed') {
        restarts.inc({ group: options.group, reason })
        log.warn('consumer crashed and is replaced')
      }
      const left = member.leave().catch((error: unknown) => log.debug('leaving failed', { error: messageOf(error) }))
      leaving.add(left)
      void left.finally(() => leaving.delete(left))
      if (reason !== 'stopped') await pause(RESTART_AFTER_MS, undefined, { signal: halt.signal }).catch(() => {})
    }
  }

  const running = supervise()
  return {
    active: () => !halt.signal.aborted && (member?.assigned() ?? false),
    lag: () => readLag({ options, admin }, options.topics),
    vitals: () => ({ signs, applying: member?.applying() ?? false }),
    restart: () => member?.giveUp(),
    async stop() {
      halt.abort()
      await running
      await member?.idle()
    },
  }
}
