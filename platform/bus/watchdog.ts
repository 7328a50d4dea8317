/** How a member looked at one time. `behind`: events not applied by partition, null while that cannot be told. */
export type Sample = {
  at: number
  /** Another number means that the member got an answer or finished a step meanwhile. */
  signs: number
  /** A batch is being applied: then the handlers, not the bus, decide how long a step takes. */
  applying: boolean
  /** The group stopped itself: it has a reason to do nothing. */
  stopped: boolean
  behind: ReadonlyMap<string, number> | null
  /** Where the group is in partitions that are fetched apart from each other: one of them alone may hang. */
  places?: ReadonlyMap<string, string>
}
/** By partition: where the group was, and how long others were served while events waited there. */
type Passed = ReadonlyMap<string, { place: string; passedMs: number }>
/**
 * What is remembered from one sample to the next: since when there was no sign, how far behind the group was, and which
 * partitions were passed over.
 */
export type Watch = {
  at: number
  signs: number
  since: number
  behind: ReadonlyMap<string, number> | null
  passed: Passed
}
export type Patience = { fetchMs: number; applyMs: number }

/**
 * Fetches are answered once a second, with nothing if there is nothing. A batch may take as long as Kafka's own
 * `max.poll.interval.ms` allows, counted from the last of its events that was done.
 */
export const PATIENCE: Patience = { fetchMs: 30_000, applyMs: 300_000 }

/**
 * Whether a member hangs: no sign of it for too long, and a partition that had events waiting at the last look has no
 * fewer now. A slow member gives signs, an idle one has nothing waiting, and while nobody can tell nothing is done.
 * A partition that is fetched by itself may hang while the others give signs: then these move on and on without it.
 */
export function watchdog(
  before: Watch | null,
  sample: Sample,
  { fetchMs, applyMs }: Patience = PATIENCE,
): { watch: Watch; restart: boolean } {
  const { at, signs, behind } = sample
  const fresh: Watch = { at, signs, since: at, behind: null, passed: new Map() }
  if (before === null || sample.stopped || at < before.at) return { watch: fresh, restart: false }
  const passed = behind === null ? before.passed : passedNow(before, sample)
  if ([...passed.values()].some(({ passedMs }) => passedMs >= applyMs)) return { watch: fresh, restart: true }
  if (signs !== before.signs) return { watch: { ...fresh, passed }, restart: false }
  if (behind === null) return { watch: { ...before, at }, restart: false }
  const waits = [...behind].some(([partition, events]) => events > 0 && events >= (before.behind?.get(partition) ?? 0))
  const silent = at - before.since >= (sample.applying ? applyMs : fetchMs)
  if (silent && waits && before.behind !== null) return { watch: fresh, restart: true }
  return { watch: { ...before, at, behind, passed }, restart: false }
}

/** One long batch makes every partition wait, so only time in which others were served counts against a member. */
function passedNow(before: Watch, { at, behind, places = new Map() }: Sample): Passed {
  const stayed = (partition: string, place: string) => before.passed.get(partition)?.place === place
  const moved = [...places].some(([partition, place]) => before.passed.has(partition) && !stayed(partition, place))
  return new Map(
    [...places].map(([partition, place]) => {
      const waits = stayed(partition, place) && (behind?.get(partition) ?? 0) > 0
      const passedMs = waits ? (before.passed.get(partition)?.passedMs ?? 0) + (moved ? at - before.at : 0) : 0
      return [partition, { place, passedMs }]
    }),
  )
}
