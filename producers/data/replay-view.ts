import type { Bus } from '../../platform/bus/bus.ts'
import type { Db } from '../../platform/db.ts'
import type { Replay, ReplayGroup } from '../../platform/replay/replay.ts'
import { topicList } from '../../schemas/topics.ts'
import { cursorsOf, endedNow } from './replay-ranges.ts'

type Deps = { bus: Bus; db: Db; groups: readonly ReplayGroup[] }

/** A replay as lists show it: what it was asked, how far it is, and what came of it. */
export function replayView(replay: Replay) {
  const { kind, shadow, id, group, state, done, applied, left_out, note, result, accept_difference } = replay
  const { requested_by, requested_at, ended_at } = replay
  return {
    id,
    kind,
    group,
    ...(kind === 'rebuild' || kind === 'rollback' ? { projection: shadow } : {}),
    state,
    done,
    applied,
    left_out,
    accept_difference,
    note,
    result,
    requested_by,
    requested_at,
    ended_at,
  }
}

/** The same with what is left, counted now, and how long that takes at the rate of this run. */
export async function progressView(deps: Deps, replay: Replay, now: Date) {
  const left = await leftOf(deps, replay)
  const seconds = (now.getTime() - replay.run_since.getTime()) / 1_000
  const records = replay.done - replay.run_done
  const rate = replay.state === 'running' && seconds > 0 && records > 0 ? records / seconds : null
  return {
    ...replayView(replay),
    left,
    total: replay.done + left,
    rate_per_second: rate === null ? null : Math.round(rate * 10) / 10,
    seconds_left: rate === null ? null : Math.ceil(left / rate),
  }
}

async function leftOf({ bus, db, groups }: Deps, { group, state, ranges }: Replay): Promise<number> {
  if (state === 'done' || state === 'cancelled') return 0
  const known = groups.flatMap(({ handlers }) => handlers.map(({ on }) => on.topic))
  const cursorOf = await cursorsOf(db, group)
  let left = 0
  for (const { topic: name, partition, at, until } of endedNow(ranges, cursorOf)) {
    const topic = [...known, ...topicList].find((one) => one.name === name)
    if (topic && at !== until) left += await bus.count({ topic, partition, from: at, until })
  }
  return left
}
