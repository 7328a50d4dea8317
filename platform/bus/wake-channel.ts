import pg from 'pg'
import { connectionFor, type Server } from '../db.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

export type WakeChannel = {
  /** Whether what other processes tell gets here; while it does not, whoever waits has to look by itself. */
  listening(): boolean
  /** Tells the other processes that the log has more. Returns at once; many calls become one message. */
  tell(): void
  close(): Promise<void>
}

const CHANNEL = 'atom_log'
const RECONNECT_MS = 1_000
/** Commits that notify wait for each other, so a busy process tells no more often than this. */
const GAP_MS = 10

/**
 * Wakes the readers of the log in other processes through LISTEN and NOTIFY. A message is a hint and no promise: it
 * comes after the commit in a transaction of its own, so that no writer waits for it, and it may be lost.
 */
export function openWakeChannel(server: Server, log: Log, woken: () => void): WakeChannel {
  let client: pg.Client | undefined
  let listening = false
  let closed = false
  let reconnect: NodeJS.Timeout | undefined
  let gap: NodeJS.Timeout | undefined
  let more = false

  async function open(): Promise<void> {
    const fresh = new pg.Client({ ...connectionFor(server, 'atom_app'), keepAlive: true })
    client = fresh
    fresh.on('error', () => lost(fresh))
    fresh.on('end', () => lost(fresh))
    fresh.on('notification', ({ processId }) => {
      if (processId !== ownPid(fresh)) woken()
    })
    try {
      await fresh.connect()
      await fresh.query(`listen ${CHANNEL}`)
      if (client !== fresh) return
      listening = true
      // What was told before this could hear it.
      woken()
    } catch (error) {
      log.debug('cannot listen for events of other processes', { error: messageOf(error) })
      lost(fresh)
    }
  }

  function lost(which: pg.Client): void {
    if (client !== which) return
    client = undefined
    listening = false
    which.end().catch(() => {})
    if (!closed) reconnect = setTimeout(() => void open(), RECONNECT_MS)
  }

  function tell(): void {
    if (!listening || !client) return
    if (gap) {
      more = true
      return
    }
    more = false
    client.query(`notify ${CHANNEL}`).catch(() => {})
    gap = setTimeout(() => {
      gap = undefined
      if (more) tell()
    }, GAP_MS)
  }

  void open()
  return {
    listening: () => listening,
    tell,
    async close() {
      closed = true
      clearTimeout(reconnect)
      clearTimeout(gap)
      listening = false
      const last = client
      client = undefined
      await last?.end().catch(() => {})
    },
  }
}

/** Known once connected, and missing from the driver's types. */
const ownPid = (client: pg.Client): number | undefined => (client as pg.Client & { processID?: number }).processID
