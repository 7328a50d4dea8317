import { parseUtcTime } from '../utc-time.ts'

/** A place in a topic, in the words of people; the same on every backend. */
export type Position =
  | { kind: 'earliest' }
  | { kind: 'latest' }
  /** A record's own `position`, as lists show it; it is the first one read. */
  | { kind: 'offset'; at: string }
  /** The first record that was stored at this time or later. */
  | { kind: 'time'; at: Date }
  /** So many of the newest records of each partition. */
  | { kind: 'last'; records: number }

/** The words for people who wrote something else. */
export const POSITION_WORDS = 'earliest, latest, offset:<position>, time:<RFC 3339>, ago:<n>s|m|h|d or last:<n>'

/** A position that the backend cannot read: of another backend, or no coordinate at all. */
export class PositionInvalid extends Error {
  readonly code = 'position_invalid'
  readonly retriable = false
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

/** Reads `earliest`, `latest`, `offset:…`, `time:…`, `ago:2h` or `last:n`; null for anything else. */
export function parsePosition(text: string, now: Date): Position | null {
  if (text === 'earliest' || text === 'latest') return { kind: text }
  const [word, rest] = splitOnce(text)
  if (word === 'offset' && /^\d{1,18}(:\d{1,18})?$/.test(rest)) return { kind: 'offset', at: rest }
  if (word === 'last' && /^\d{1,9}$/.test(rest)) return { kind: 'last', records: Number(rest) }
  if (word === 'time') {
    const at = parseUtcTime(rest)
    return at && { kind: 'time', at }
  }
  const ago = /^(\d{1,7})([smhd])$/.exec(word === 'ago' ? rest : '')
  if (!ago) return null
  const seconds = Number(ago[1]) * SECONDS[ago[2] as keyof typeof SECONDS]
  return { kind: 'time', at: new Date(now.getTime() - seconds * 1_000) }
}

function splitOnce(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}
