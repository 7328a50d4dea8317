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
type Standing = ReadonlyMap<string, { place: string; since: number }>
/**
 * What is remembered from one sample to the next: since when there was no sign, how far behind the group was, and since
 * when partitions in which events wait stand where they are.
 */
export type Watch = { signs: number; since: number; behind: ReadonlyMap<string, number> | null; standing: Standing }
export type Patience = { fetchMs: number; applyMs: number }

/**
 * Fetches are answered once a second, with nothing if there is nothing. A batch may take as long as Kafka's own
 * `max.poll.interval.ms` allows, counted from the last of its events that was done.
 */
export const PATIENCE: Patience = { fetchMs: 30_000, applyMs: 300_000 }

/**
 * Whether a member hangs: no sign of it for too long, and a partition that had events waiting at the last look has no
 * fewer now. A slow member gives signs, an idle one has nothing waiting, and while nobody can tell nothing is done.
 * A partition that is fetched by itself may hang while the others give signs: then it stands still for longer than any
 * batch may take.
 */
export function watchdog(
  before: Watch | null,
  sample: Sample,
  { fetchMs, applyMs }: Patience = PATIENCE,
): { watch: Watch; restart: boolean } {
  const { at, signs, behind } = sample
  const fresh: Watch = { signs, since: at, behind: null, standing: new Map() }
  if (before === null || sample.stopped || at < before.since) return { watch: fresh, restart: false }
  const standing = behind === null ? before.standing : standingNow(before.standing, sample)
  if ([...standing.values()].some(({ since }) => at - since >= applyMs)) return { watch: fresh, restart: true }
  if (signs !== before.signs) return { watch: { ...fresh, standing }, restart: false }
  if (behind === null) return { watch: before, restart: false }
  const waits = [...behind].some(([partition, events]) => events > 0 && events >= (before.behind?.get(partition) ?? 0))
  const silent = at - before.since >= (sample.applying ? applyMs : fetchMs)
  if (silent && waits && before.behind !== null) return { watch: fresh, restart: true }
  return { watch: { ...before, behind, standing }, restart: false }
}

function standingNow(before: Standing, { at, behind, places = new Map() }: Sample): Standing {
  const waiting = [...places].filter(([partition]) => (behind?.get(partition) ?? 0) > 0)
  return new Map(
    waiting.map(([partition, place]) => {
      const known = before.get(partition)
      return [partition, known?.place === place && known.since <= at ? known : { place, since: at }]
    }),
  )
}
