import type { Freshness as Figures } from './answers.ts'

// Usage is promised to be visible within five seconds; figures further behind than that deserve a mark.
const LATE_AFTER_SECONDS = 5
const DAY_SECONDS = 86_400

/** `as of 14:03:07, 2 s behind`, in UTC; the date is added once the figures are more than a day behind. */
export const freshnessText = ({ as_of, lag_seconds }: Figures): string => {
  const time = new Date(as_of).toISOString()
  const clock = lag_seconds >= DAY_SECONDS ? `${time.slice(0, 10)} ${time.slice(11, 19)}` : time.slice(11, 19)
  return `as of ${clock}, ${Math.max(0, Math.round(lag_seconds))} s behind`
}

/** How old a section's figures are. "Nothing happened" and "the figures stand still" must not look alike. */
export const Freshness = ({ figures }: { figures: Figures }) => {
  const late = figures.lag_seconds > LATE_AFTER_SECONDS
  return (
    <p className={late ? 'freshness late' : 'freshness'}>
      {late && <span aria-hidden="true">! </span>}
      <time dateTime={figures.as_of} title={`${figures.as_of} (UTC)`}>
        {freshnessText(figures)}
      </time>
    </p>
  )
}
