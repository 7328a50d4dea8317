import { Type } from '@sinclair/typebox'
import { httpError } from '../../platform/http/errors.ts'
import type { Call } from '../../platform/http/route.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'

const AHEAD_MS = 366 * 86_400_000
export const ValidFrom = Type.Optional(Type.String({ maxLength: 40 }))

/** From when a new signer counts: the time named, at most a year ahead, or now. */
export const validFromOf = (text: string | undefined, now: Date): Date =>
  text === undefined ? now : moment('valid_from', text, now)

/** From when a signer does not count any more: `?from=`, past or up to a year ahead, or now. */
export function revokedFrom(call: Call, now: Date): Date {
  const text = call.query.get('from')
  return text === null ? now : moment('from', text, now)
}

function moment(name: string, text: string, now: Date): Date {
  const time = parseUtcTime(text)
  if (time && time.getTime() <= now.getTime() + AHEAD_MS) return time
  throw httpError('parameter_invalid', `\`${name}\` must be an RFC 3339 time, at most a year ahead`)
}
