import { Type } from '@sinclair/typebox'
import { httpError } from '../../platform/http/errors.ts'
import type { Call } from '../../platform/http/route.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'

const AHEAD_MS = 366 * 86_400_000
const DETAIL = 'must be an RFC 3339 time, at most a year ahead'
export const ValidFrom = Type.Optional(Type.String({ maxLength: 40 }))

/** From when a new signer counts: the time named in the body, at most a year ahead, or now. */
export function validFromOf(text: string | undefined, now: Date): Date {
  const time = text === undefined ? now : moment(text, now)
  if (time) return time
  const errors = [{ pointer: '/valid_from', code: 'time', detail: DETAIL }]
  throw httpError('body_malformed', `/valid_from ${DETAIL}`, { errors })
}

/** From when a signer does not count any more: `?from=`, past or up to a year ahead, or now. */
export function revokedFrom(call: Call, now: Date): Date {
  const text = call.query.get('from')
  const time = text === null ? now : moment(text, now)
  if (time) return time
  throw httpError('parameter_invalid', `\`from\` ${DETAIL}`)
}

function moment(text: string, now: Date): Date | null {
  const time = parseUtcTime(text)
  return time && time.getTime() <= now.getTime() + AHEAD_MS ? time : null
}
