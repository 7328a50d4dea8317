import { periodBounds, periodOf } from '../../platform/utc-time.ts'
import type { DemoSubscription } from './catalogue.ts'

type Record_ = { id: string; meter: string; quantity: string; time: string; package: string }
const DAY_MS = 86_400_000

/** Records of the whole previous month and of this one up to `now`; there is one even in the first second of a month. */
export function recordsOf({ tenant, package: name, usage }: DemoSubscription, now: Date): Record_[] {
  const thisMonth = periodBounds(periodOf(now)).start
  const begin = periodBounds(periodOf(new Date(thisMonth.getTime() - 1))).start
  const records: Record_[] = []
  for (const { meter, perDay, times } of usage) {
    const add = (time: Date) =>
      records.push({
        id: `seed-${tenant}-${name}-${meter}-${time.toISOString()}`,
        meter,
        quantity: perDay,
        time: time.toISOString(),
        package: name,
      })
    for (let day = begin.getTime(); day <= now.getTime(); day += DAY_MS)
      for (const hour of times) if (day + hour * 3_600_000 <= now.getTime()) add(new Date(day + hour * 3_600_000))
    add(thisMonth)
  }
  return records
}
