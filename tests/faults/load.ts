import { setTimeout as pause } from 'node:timers/promises'

/** What a client was told is stored: record id -> quantity in thousandths. */
export type Journal = Map<string, bigint>
export type Load = {
  journal: Journal
  /** Resolves once that many more records are acknowledged. */
  more(records: number): Promise<void>
  /** Sends nothing new, repeats what is not acknowledged until it is. */
  stop(): Promise<void>
}
export type LoadOptions = {
  /** Names this load; its ids begin with it, and it has an hour to itself (`hourOf`). */
  name: string
  url: () => string
  apiKey: string
  lanes?: number
  perReport?: number
  tenant?: string
  /** Pause between two reports of a lane. */
  everyMs?: number
}
export const PACKAGE = 'fault-load'
export const METER = 'fault_units'
const ANSWER_LIMIT_MS = 4_000
const GIVE_UP_MS = 120_000
const HOUR_MS = 3_600_000
/** A run that begins before midnight of a month's last day goes on with the months it began with. */
export const begun = new Date()

const hours = new Map<string, string>()

/**
 * The month whose invoice bills all loads: the one before the last. It is over, so it has an hour for every load on any
 * day, no time in it is older than the 95 days that are accepted, and what is issued here is the month after it.
 */
export const loadMonth = new Date(Date.UTC(begun.getUTCFullYear(), begun.getUTCMonth() - 2))

/** Rollups are per hour, so loads that report for hours of their own can be counted apart. */
export function hourOf(name: string): string {
  const hour = hours.get(name) ?? new Date(loadMonth.getTime() + hours.size * HOUR_MS).toISOString()
  hours.set(name, hour)
  return hour
}

/** Reports usage without end; a report is repeated with the same ids until it is answered 202. */
export function startLoad({ name, url, apiKey, tenant, ...options }: LoadOptions): Load {
  const { lanes = 4, perReport = 20, everyMs = 0 } = options
  const journal: Journal = new Map()
  let stopping = false
  let reports = 0
  let failure: unknown

  async function send(records: object[]): Promise<boolean> {
    const answer = await fetch(`${url()}/usage/report`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ records }),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    })
    const body = (await answer.json()) as { accepted?: number }
    if (answer.status >= 400 && answer.status < 500)
      throw new Refused(`a report was answered ${answer.status} ${JSON.stringify(body)}`)
    if (answer.status === 202 && body.accepted !== records.length)
      throw new Refused(`only ${body.accepted} of ${records.length} records were accepted`)
    return answer.status === 202
  }

  async function lane(): Promise<void> {
    while (!stopping) {
      const report = reports++
      const quantities = Array.from({ length: perReport }, (_, n) => BigInt(1 + ((report * 31 + n * 7) % 9_973)))
      const records = quantities.map((quantity, n) => ({
        id: `${name}-${report}-${n}`,
        meter: METER,
        quantity: thousandths(quantity),
        time: hourOf(name),
        package: PACKAGE,
        ...(tenant ? { tenant } : {}),
      }))
      const deadline = performance.now() + GIVE_UP_MS
      while (!(await send(records).catch(unlessRefused))) {
        if (performance.now() > deadline) throw new Error(`report ${report} was not acknowledged for ${GIVE_UP_MS} ms`)
        await pause(30)
      }
      for (const [n, quantity] of quantities.entries()) journal.set(`${name}-${report}-${n}`, quantity)
      if (everyMs > 0) await pause(everyMs)
    }
  }

  const running = Promise.all(
    Array.from({ length: lanes }, () =>
      lane().catch((error: unknown) => {
        failure ??= error
      }),
    ),
  )
  return {
    journal,
    async more(records) {
      const wanted = journal.size + records
      const deadline = performance.now() + GIVE_UP_MS
      while (journal.size < wanted) {
        if (failure) throw failure
        if (performance.now() > deadline) throw new Error(`${wanted - journal.size} records were not acknowledged`)
        await pause(10)
      }
    },
    async stop() {
      stopping = true
      await running
      if (failure) throw failure
    },
  }
}

class Refused extends Error {}
function unlessRefused(error: unknown): false {
  if (error instanceof Refused) throw error
  return false
}

export const thousandths = (value: bigint): string => `${value / 1000n}.${String(value % 1000n).padStart(3, '0')}`
